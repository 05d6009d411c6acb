"""What came out of a search: tables, plots, MLflow, and how much the best of many is flattered."""

import csv
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import MissingPackage
from .space import Space, changed
from .trials import Scored, Trials

COLUMNS = ("log_loss", "accuracy", "auroc")


def write(trials: Trials, nested: dict[str, Any] | None, folder: Path) -> dict[str, Any]:
    """Writes `trials.csv`, `report.json` and the plots; returns the report."""
    best = trials.best()
    if best is None:
        raise AssertionError("a search without a finished trial has nothing to report")
    finished = trials.finished()
    pruned = len(trials.counted()) - len(finished)
    report = {
        "study": trials.name,
        "trials": len(trials.counted()),
        "stopped_early": pruned,
        "objective": trials.space.objective,
        "best": {"trial": best.number, "values": best.values, **scores_of(best.scores)},
        "nested": nested,
        "command": command(best),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "report.json", json.dumps(report, indent=2) + "\n")
    write_table(finished, folder / "trials.csv")
    plot(trials.space, finished, folder)
    return report


def scores_of(scores: dict[str, Any]) -> dict[str, Any]:
    names = (*COLUMNS, "standard_error", "log_loss_standard_error", "images", "groups", "folds")
    return {name: scores[name] for name in names}


def write_whole(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def write_table(finished: Sequence[Scored], path: Path) -> None:
    keys = sorted({key for trial in finished for key in trial.values})
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["trial", *COLUMNS, "seconds", *keys])
        for trial in finished:
            values = [json.dumps(trial.values.get(key)) for key in keys]
            rows.writerow([trial.number, *(trial.scores[it] for it in COLUMNS), round(trial.seconds, 3), *values])
    part.replace(path)


def command(best: Scored) -> str:
    """The command that trains the best one as an experiment of DVC."""
    changes = [f"-S '{key}={json.dumps(value)}'" for key, value in sorted(best.values.items())]
    return " ".join(["dvc exp run", *changes])


def in_words(report: dict[str, Any]) -> str:
    """The report for people, with what the best score is worth."""
    best, nested = report["best"], report["nested"]
    lines = [
        (
            f"best of {report['trials']} trials: trial {best['trial']}, log loss {best['log_loss']:.4f}, "
            f"accuracy {best['accuracy']:.4f} ± {best['standard_error']:.4f} "
            f"({best['folds']} folds of {best['groups']} groups, {best['images']} training images)"
        )
    ]
    lines += [f"  {key}: {json.dumps(value)}" for key, value in sorted(best["values"].items())]
    lines += what_it_is_worth(report) if nested else [NOT_NESTED]
    lines.append(f"train it: {report['command']}")
    return "\n".join(lines)


NOT_NESTED = (
    "this score is flattered, for it is the best of many; by how much was not measured (nested cross-validation is "
    "off, or several bases were searched)"
)


def what_it_is_worth(report: dict[str, Any]) -> list[str]:
    """The best score beside that of the same choice, made without the images it is scored on."""
    best, nested = report["best"], report["nested"]
    of_loss, of_accuracy = nested["log_loss"] - best["log_loss"], best["accuracy"] - nested["accuracy"]
    is_flattered = (of_accuracy if report["objective"] == "accuracy" else of_loss) > 0
    flattered = (
        f"so the best of {report['trials']} is flattered by {of_loss:.4f} in log loss and {of_accuracy:.4f} in accuracy"
    )
    scores = f"log loss {nested['log_loss']:.4f}, accuracy {nested['accuracy']:.4f}"
    return [
        f"chosen and scored on different images (nested cross-validation): {scores}",
        flattered if is_flattered else "so the choice among so many did not flatter the score",
    ]


def plot(space: Space, finished: Sequence[Scored], folder: Path) -> None:
    """`history.png` and `values.png`."""
    try:
        matplotlib = importlib.import_module("matplotlib")
        matplotlib.use("Agg")
        plt = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        print("no plots: matplotlib is not installed; pip install 'hounsfield[search]'", file=sys.stderr)
        return
    name = space.objective.replace("_", " ")
    unit = " (nats)" if space.objective == "log_loss" else ""
    scores = [trial.scores[space.objective] for trial in finished]
    better = min if space.objective == "log_loss" else max
    best_so_far = [better(scores[: end + 1]) for end in range(len(scores))]
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    numbers = [trial.number for trial in finished]
    axis.plot(numbers, scores, "o", color="#8aa0b8", label="a trial")
    axis.step(numbers, best_so_far, where="post", color="#b3402a", label="best so far")
    axis.set(title=f"{name.capitalize()} of {len(finished)} trials, by grouped cross-validation")
    axis.set(xlabel="trial", ylabel=f"{name} of held-out training images{unit}")
    axis.legend()
    figure.savefig(folder / "history.png", dpi=110, metadata={"Software": None})
    plt.close(figure)

    keys = sorted({key for trial in finished for key in trial.values if len(distinct(finished, key)) > 1})
    if not keys:
        return
    figure, axes = plt.subplots(1, len(keys), figsize=(3.6 * len(keys), 3.8), sharey=True, squeeze=False)
    for axis, key in zip(axes[0], keys, strict=True):
        having = [trial for trial in finished if trial.values.get(key) not in (None, [])]
        draw_values(axis, key, having, [trial.scores[space.objective] for trial in having])
    axes[0][0].set_ylabel(f"{name}{unit}")
    figure.suptitle(f"{name.capitalize()} by each searched key")
    figure.tight_layout()
    figure.savefig(folder / "values.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def distinct(finished: Sequence[Scored], key: str) -> set[str]:
    return {json.dumps(trial.values.get(key)) for trial in finished}


def draw_values(axis: Any, key: str, having: Sequence[Scored], scores: Sequence[float]) -> None:
    values = [trial.values[key] for trial in having]
    numbers = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    if all(isinstance(number, (int, float)) for number in numbers):
        axis.plot(numbers, scores, "o", color="#4a6fa5")
        axis.set_xscale("log")
    else:
        shown = [short(number) for number in numbers]
        names = sorted(set(shown))
        axis.plot([names.index(it) for it in shown], scores, "o", color="#4a6fa5")
        axis.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
        axis.set_xlim(-0.5, len(names) - 0.5)
    # On top, where long names of values do not push it down.
    axis.xaxis.set_label_position("top")
    axis.set_xlabel(key)


def short(value: Any) -> str:
    return "\n".join(value) if isinstance(value, list) else str(value)


def track(trials: Trials, report: dict[str, Any], folder: Path) -> None:
    """Sends the search to MLflow: a run, with a run for each trial below it."""
    try:
        mlflow = importlib.import_module("mlflow")
    except ImportError as error:
        raise MissingPackage("track the search: pip install 'hounsfield[mlflow]'") from error
    mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "hounsfield-search"))
    with mlflow.start_run(run_name=f"search {trials.name}"):
        mlflow.set_tags({"hounsfield.search": trials.name, "hounsfield.command": report["command"]})
        mlflow.log_params({f"space.{key}": str(domain)[:500] for key, domain in trials.space.keys.items()})
        mlflow.log_metrics(
            {f"best_{name}": report["best"][name] for name in COLUMNS if report["best"][name] is not None}
        )
        if report["nested"]:
            mlflow.log_metrics({f"nested_{name}": report["nested"][name] for name in ("log_loss", "accuracy")})
        for trial in trials.finished():
            with mlflow.start_run(run_name=f"trial {trial.number}", nested=True):
                mlflow.log_params({key: json.dumps(value) for key, value in trial.values.items()})
                mlflow.log_metrics({it: trial.scores[it] for it in COLUMNS if trial.scores[it] is not None})
        mlflow.log_artifacts(str(folder))


def nest(trials: Trials) -> dict[str, Any] | None:
    """Nested cross-validation of the choice among the finished trials, where all read the same features."""
    finished = trials.finished()
    seen: dict[str, dict[str, Any]] = {}
    for trial in finished:
        seen.setdefault(json.dumps(trial.values, sort_keys=True), trial.values)
    programs = {id(trials.scorer.program(values)) for values in seen.values()}
    if len(programs) > 1:
        return None
    params = [changed(trials.params, values) for values in seen.values()]
    folds = int(trials.params["train"]["solve"]["folds"])
    how = {"folds": folds, "seed": trials.space.seed, "objective": trials.space.objective}
    return trials.scorer.nest(next(iter(seen.values())), params, how)
