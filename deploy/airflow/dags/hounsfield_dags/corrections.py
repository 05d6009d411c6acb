"""Corrections: what people said on the server, and the study's folder from which `ingest` takes them.

The folder holds `<class>/<sha256>.<extension>`. A correction waits until a training has taken it: `artifacts/airflow`
keeps the list of those that the last training took. Nothing is lost if a run ends anywhere: the next one counts the
same corrections again, and fetches those that are not there yet.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hounsfield_dags.server import Judgement, Server, ServerFailed
from hounsfield_dags.study import Study, StudyUnusable

DIGEST = re.compile(r"[0-9a-f]{64}")
EXTENSIONS = {
    "application/dicom": "dicom",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/jpeg": "jpeg",
    "image/png": "png",
    "image/tiff": "tiff",
    "image/webp": "webp",
}
TAKEN = "corrections-of-the-last-training.json"
TAKING = "corrections-of-this-training.json"
FORBIDDEN = 403
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class Correction:
    """An image, and the class that a person gave it."""

    class_name: str
    image_sha256: str

    def __str__(self) -> str:
        return f"{self.class_name}/{self.image_sha256}"


@dataclass(frozen=True)
class Fetched:
    """What a merge did."""

    new: int
    removed: int
    all: int


def last_words(judgements: Iterable[Judgement]) -> dict[str, Judgement]:
    """The last judgement of each image. An image may have been predicted more than once."""
    last: dict[str, Judgement] = {}
    for judgement in judgements:
        known = last.get(judgement.image_sha256)
        if known is None or judgement.order > known.order:
            last[judgement.image_sha256] = judgement
    return last


def on_server(judgements: list[Judgement]) -> dict[Correction, str]:
    """Corrections whose image is kept, each with a prediction that has the image."""
    last = last_words(judgements)
    wrong = {judgement.image_sha256 for judgement in judgements if not judgement.is_right}
    kept = {judgement.image_sha256: judgement.prediction_id for judgement in judgements if judgement.is_image_kept}
    return {Correction(last[image].class_name, image): kept[image] for image in sorted(wrong & kept.keys())}


def in_study(study: Study) -> dict[Correction, Path]:
    """Corrections that are in the study's folder already."""
    files = study.corrections_folder().glob("*/*")
    return {Correction(file.parent.name, file.stem): file for file in files if DIGEST.fullmatch(file.stem)}


def withdrawn(study: Study, judgements: list[Judgement]) -> dict[Correction, Path]:
    """Those in the study's folder whose image was given another class since."""
    last = last_words(judgements)
    here = in_study(study).items()
    return {
        correction: file
        for correction, file in here
        if (word := last.get(correction.image_sha256)) and word.class_name != correction.class_name
    }


def waiting(study: Study, server: Server) -> set[Correction]:
    """Corrections that no training took yet, on the server or in the study's folder."""
    judgements = list(server.judgements())
    here = in_study(study).keys() - withdrawn(study, judgements).keys()
    return (here | on_server(judgements).keys()) - taken(study)


def taken(study: Study) -> set[Correction]:
    """Those that the last training took."""
    if not (study.notes / TAKEN).exists():
        return set()
    return {Correction(*text.rsplit("/", 1)) for text in note(study, TAKEN)["corrections"]}


def note(study: Study, name: str) -> Any:
    """What `fetch` noted."""
    return json.loads((study.notes / name).read_text(encoding="utf-8"))


def fetch(study: Study, server: Server) -> Fetched:
    """Brings the study's folder up to date with the server, and notes what the next training takes."""
    judgements = list(server.judgements())
    gone = withdrawn(study, judgements)
    for file in gone.values():
        file.unlink()
    here = in_study(study)
    missing = {it: prediction for it, prediction in on_server(judgements).items() if it not in here}
    for correction, prediction in missing.items():
        if correction.class_name not in study.classes():
            raise StudyUnusable(
                f"the server has a correction to {correction.class_name!r}, which is no class of data.classes in "
                f"{study.folder}/config.yaml; does the server serve a model of this study?"
            )
        write(study.corrections_folder(), correction, *server.image(prediction))
    all_here = sorted(str(correction) for correction in in_study(study))
    last = max(judgements, key=lambda it: it.order, default=None)
    taking = {"corrections": all_here, "judged_until": last and last.created_at}
    (study.notes / TAKING).write_text(json.dumps(taking, indent=1), encoding="utf-8")
    return Fetched(new=len(missing), removed=len(gone), all=len(all_here))


def write(folder: Path, correction: Correction, image: bytes, media_type: str) -> None:
    """Writes an image where `ingest` looks for it, whole or not at all."""
    digest = hashlib.sha256(image).hexdigest()
    if digest != correction.image_sha256:
        raise ServerFailed(f"the image {correction.image_sha256} arrived with the digest {digest}")
    if media_type not in EXTENSIONS:
        raise ServerFailed(f"the image {digest} is of an unknown kind, {media_type}")
    target = folder / correction.class_name / f"{digest}.{EXTENSIONS[media_type]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder: ingest refuses a file in it whose name is not its digest.
    part = folder.parent / f"{digest}.part"
    with part.open("wb") as file:
        file.write(image)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def remember(study: Study, server: Server) -> None:
    """The training took what `fetch` brought: from now on those corrections wait no longer, here and on the server."""
    judged_until = note(study, TAKING)["judged_until"]
    if judged_until:
        registered = study.registered()
        outcome = "kept" if registered["outcome"] == "challenger" else "promoted"
        try:
            # By the server's own clock: up to the last judgement that `fetch` saw.
            server.report_training(judged_until, outcome, registered["reason"], study.weights())
        except ServerFailed as error:
            if error.status != FORBIDDEN:
                raise
            LOG.warning("the server goes on counting these corrections as waiting: %s", error)
    (study.notes / TAKING).replace(study.notes / TAKEN)
