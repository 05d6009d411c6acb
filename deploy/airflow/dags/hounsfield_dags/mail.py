"""The mails: what they say. Whoever gets one should not need to open Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from hounsfield_dags.study import Study

NOTICE = "Research use only. Not a medical device."


@dataclass(frozen=True)
class Mail:
    """A subject, and a body in HTML."""

    subject: str
    html: str


def of_build(study: Study) -> Mail:
    """After a build."""
    found = study.result("artifacts/data_validation/report.json")
    images, conclusion = found["images"], found["conclusion"]
    used = ", ".join(f"{count} for {split}" for split, count in images["included"].items())
    scans = f"Scans: {images['all']}; in use {used}."
    return _mail(study, "built", [scans, f"Validation: {conclusion['headline']}.", *conclusion["sentences"]])


def of_retraining(study: Study, served_by: str | None) -> Mail:
    """After a retraining; `served_by` is the server that answers with the new model, if it passed the gate."""
    used = study.result("artifacts/data_ingestion/report.json").get("corrections")
    lines = []
    if used:
        lines.append(
            f"Corrections: {used['files']}. New training images: {len(used['added'])}; training images with another "
            f"class than before: {len(used['relabelled'])}; known already: {len(used['known'])}; of validation or test "
            f"images, which changed nothing: {len(used['disputed'])}."
        )
    lines.append(f"{served_by} serves it." if served_by else "The server keeps the model that it had.")
    return _mail(study, "retrained", lines)


def of_failure(dag: str, task: str, reason: str, study: str, log_address: str) -> Mail:
    """After a task failed. It needs no study: that may be what is missing.

    What the programs printed stays in the log: it may name scans, and names may identify persons.
    """
    lines = [
        f"{dag} failed in the task {task}. The tasks after it did not run.",
        reason,
        f"Study: {study}",
    ]
    log = f'<p>Log: <a href="{escape(log_address)}">{escape(log_address)}</a></p>'
    return Mail(f"Hounsfield: {dag} failed in {task}", _html(lines) + "\n" + log)


def _mail(study: Study, what: str, lines: list[str]) -> Mail:
    registered = study.registered()
    scores = study.result("artifacts/evaluation/scores.json")
    outcome = _outcome(registered)
    subject = f"Hounsfield: {study.name} was {what}, {outcome}"
    lines = [
        f"The study {study.name} was {what}: {outcome}.",
        f"Why: {registered['reason']}",
        f"Accuracy {scores['accuracy']:.3f} on {scores['images']} test images. {scores['worth']['in_words']}",
        *lines,
        NOTICE,
    ]
    return Mail(subject, _html(lines))


def _html(lines: list[str]) -> str:
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)


def _outcome(registered: dict[str, Any]) -> str:
    version = f"version {registered['version']}"
    match registered["outcome"]:
        case "promoted":
            return f"{version} is the new champion"
        case "champion_already":
            return f"{version} is the champion already"
        case _:
            return f"{version} was not promoted"
