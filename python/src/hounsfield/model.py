"""A trained model, for predictions.

Research use only. Not a medical device.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from . import _pictures, _tool
from ._checks import Answer, Reference
from ._pictures import Picture
from .errors import Error, ImageError, MissingPackage, ModelError, NotThere, ToolFailed

if TYPE_CHECKING:
    import os

    import numpy as np
    import pandas as pd

    from ._pictures import Image
    from ._torch import Engine

    ImageT = TypeVar("ImageT", bound=Image)

NOTICE = "Research use only. Not a medical device."
# Exit codes of `predict`: some files, or all, are no image that can be used or are refused.
PREDICT_CODES = (0, 3, 4)


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image. Of an image that it refuses, it says nothing but why."""

    image: str
    """The path, or the place in what was given."""
    predicted: str | None
    """The most probable class."""
    confidence: float | None
    """Its calibrated probability."""
    probabilities: dict[str, float]
    """Calibrated probabilities of all classes, in the model's order."""
    accepted: bool | None
    """Whether the image is of the kind that the model was trained on; None where nobody knows."""
    reason: str | None = None
    """Why there is no prediction."""
    heat_map: "np.ndarray | None" = field(default=None, repr=False, compare=False)
    """Where the model looked, if that was asked for: [H, W, 4] of uint8, to be laid over the image."""


class Predictions(list[Prediction]):
    """Predictions of several images, in their order."""

    def to_frame(self) -> "pd.DataFrame":
        """A row for each image, with a column `prob_<class>` for each class."""
        pandas = needed("pandas", "notebooks")
        rows = [
            {
                "image": it.image,
                "predicted": it.predicted,
                "confidence": it.confidence,
                "accepted": it.accepted,
                "reason": it.reason,
            }
            | {f"prob_{name}": probability for name, probability in it.probabilities.items()}
            for it in self
        ]
        columns = ["image", "predicted", "confidence", "accepted", "reason"]
        return pandas.DataFrame(rows, columns=None if rows else columns)


class Model:
    """A model folder that `select` and `calibrate` wrote. See `load`."""

    def __init__(
        self, folder: Path, engine: "Engine | None", device: str, *, may_change: bool = True, kept: object = None
    ) -> None:
        self.folder = folder
        self.engine: Literal["torch", "program"] = "torch" if engine else "program"
        self.device = device
        description = read_json(folder / "model.json")
        self.classes: list[str] = list(description["architecture"]["classes"])
        self._torch = engine
        self._may_change = may_change
        self._reference = engine.reference if engine else Reference.read(folder)
        self._kept = kept

    def __repr__(self) -> str:
        return f"<hounsfield.Model {self.folder}: {', '.join(self.classes)}; engine {self.engine}. {NOTICE}>"

    # Lists first: to a type checker without NumPy or Pillow, an image may be anything.
    @overload
    def predict(
        self, images: "list[ImageT] | tuple[ImageT, ...]", *, explain: bool = False, strict: bool = True
    ) -> Predictions: ...
    @overload
    def predict(self, images: "Image", *, explain: bool = False, strict: bool = True) -> Prediction: ...
    def predict(self, images: Any, *, explain: bool = False, strict: bool = True) -> Prediction | Predictions:
        """Predicts one image, or each of a list: paths, bytes of picture files, PIL images, or arrays
        [H, W] or [H, W, 3] of uint8 or uint16.

        An image that is not of the kind that the model was trained on has no class: `accepted` is
        False, and `reason` says why. A file that is no image raises `ImageError`; with `strict=False`
        it becomes a prediction without a class, whose `reason` says why. `explain=True` adds heat maps;
        they come from the program `predict`, whatever the engine.
        """
        if is_one := _pictures.is_one(images):
            images = [images]
        pictures = [_pictures.picture(image, place) for place, image in enumerate(images)]
        if explain:
            found = self._by_program(pictures, explain=True)
        elif self._torch:
            found = self._by_torch(self._torch, pictures)
        else:
            found = self._by_program(pictures)
        for prediction in found:
            if strict and prediction.accepted is None and prediction.predicted is None:
                raise ImageError(prediction.reason)
        return found[0] if is_one else found

    def _by_torch(self, engine: "Engine", pictures: list[Picture]) -> Predictions:
        """In this process. What Pillow cannot read, such as DICOM, the program may."""
        answers = list(engine.answers(pictures))
        unread = [picture for picture, answer in zip(pictures, answers, strict=True) if isinstance(answer, ImageError)]
        retried: Iterator[Prediction] = iter(())
        if unread and self._may_change:
            # Where there is no program, what Pillow said stands.
            with contextlib.suppress(NotThere, ToolFailed):
                retried = iter(self._by_program(unread))
        found = Predictions()
        for picture, answer in zip(pictures, answers, strict=True):
            if isinstance(answer, ImageError):
                unusable = Prediction(picture.name, None, None, {}, None, str(answer))
                found.append(next(retried, unusable))
            else:
                found.append(self._prediction(picture, answer))
        return found

    def _prediction(self, picture: Picture, answer: Answer, heat_map: "np.ndarray | None" = None) -> Prediction:
        accepted, reason = answer.accepted, None
        if self._reference and answer.correlation is not None and answer.distance is not None:
            failed = self._reference.reasons(answer.correlation, answer.distance)
            accepted = not failed if accepted is None else accepted
            if not accepted:
                reason = f"not like the images that the model was trained on ({'; '.join(failed)})"
        if accepted is False:
            return Prediction(picture.name, None, None, {}, False, reason)
        probabilities = dict(zip(self.classes, answer.probabilities, strict=True))
        predicted = max(probabilities, key=probabilities.__getitem__)
        return Prediction(picture.name, predicted, probabilities[predicted], probabilities, accepted, None, heat_map)

    def _by_program(self, pictures: list[Picture], *, explain: bool = False) -> Predictions:
        """Through `predict`, which reads every format that the stages read."""
        if not pictures:
            return Predictions()
        if explain and "--explain" not in _tool.run("predict", "--help"):
            raise Error("this version of the program predict has no heat maps; install a newer Hounsfield")
        with tempfile.TemporaryDirectory(prefix="hounsfield-") as name:
            folder = Path(name)
            rows = self._rows(folder, pictures, ["--explain", "heat"] if explain else [])
            found = Predictions()
            for place, (picture, row) in enumerate(zip(pictures, rows, strict=True)):
                if row["error"] is not None:
                    found.append(Prediction(picture.name, None, None, {}, None, f"{picture.name}: {row['error']}"))
                    continue
                probabilities = [row["probabilities"].get(name) for name in self.classes]
                answer = Answer(probabilities, row["grey_correlation"], row["feature_distance"], row["accepted"])
                heat = folder / "heat" / f"{file_name(place)}.heat.png"
                found.append(self._prediction(picture, answer, read_heat(heat) if heat.exists() else None))
        return found

    def _rows(self, folder: Path, pictures: list[Picture], arguments: list[str]) -> list[dict[str, Any]]:
        """What `predict` says of each picture. It works in a folder of its own, so that no settings
        of the present folder change an answer."""
        (folder / "images").mkdir()
        for place, picture in enumerate(pictures):
            path = folder / "images" / file_name(place)
            if isinstance(picture.content, Path):
                path.symlink_to(picture.content)
            else:
                path.write_bytes(picture.file_bytes())
        data = {"source": {"kind": "sample"}, "classes": {name: [name] for name in self.classes}}
        (folder / "config.yaml").write_text(json.dumps({"data": data}), encoding="utf-8")
        output = _tool.run(
            "predict", "--quiet", "--format", "jsonl", "--model", str(self.folder.absolute()),
            "--device", self.device, *arguments, "images/*",
            cwd=folder, expected=PREDICT_CODES,
        )  # fmt: skip
        rows = [json.loads(line) for line in output.splitlines()]
        if len(rows) != len(pictures):
            raise Error(f"predict said something of {len(rows)} images, and not of {len(pictures)}")
        return rows


def load(
    source: "str | os.PathLike[str]", *, engine: Literal["torch", "program"] | None = None, device: str = "auto"
) -> Model:
    """A model for predictions: from a study, from a model folder, or from MLflow.

    `load("my-study")`, `load("my-study/model")`, `load("models:/tumour-classifier@champion")`.

    The engine is "torch", in this process, where PyTorch can be imported; else "program", which starts
    the program `predict` for each call. Both give the same probabilities. `device` is "auto", "cpu" or
    "cuda:N".
    """
    if engine not in (None, "torch", "program"):
        raise ValueError(f'engine is {engine!r}; expected "torch", "program" or None')
    kept = None
    if str(source).startswith("models:/"):
        folder, kept = fetched(str(source))
    else:
        folder = model_folder(Path(source))
    description_of(folder)
    loaded = None if engine == "program" else torch_engine(folder, device, is_needed=engine == "torch")
    return Model(folder, loaded, device, may_change=engine is None, kept=kept)


def torch_engine(folder: Path, device: str, *, is_needed: bool) -> "Engine | None":
    """The engine in this process; None where PyTorch is not there and need not be."""
    try:
        import torch

        from ._torch import Engine
    except (ImportError, OSError) as error:
        # The smallest libtorch is a package torch that cannot be imported.
        if is_needed:
            raise MissingPackage(f'{error}; first: pip install "hounsfield[torch]"') from error
        return None
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Engine(folder, Reference.read(folder), device)


def model_folder(path: Path) -> Path:
    """The folder with `model.json`: the one named, or the one in a study or in a downloaded model."""
    for folder in (path, path / "model", path / "data"):
        if (folder / "model.json").is_file():
            return folder
    if not path.exists():
        raise NotThere(f"{path}: there is no such folder")
    raise NotThere(f"{path} holds no model (model.json); in a study, `dvc repro` makes one")


def description_of(folder: Path) -> dict[str, Any]:
    """`model.json`, of a format that this reads."""
    described = read_json(folder / "model.json")
    if described.get("format") not in (2, 3, 4, 5):
        raise ModelError(f"{folder / 'model.json'} is of format {described.get('format')}; this reads 2 to 5")
    return described


def fetched(address: str) -> tuple[Path, object]:
    """A registered model in a temporary folder, which lives as long as what comes second."""
    mlflow = needed("mlflow", "mlflow")
    kept = tempfile.TemporaryDirectory(prefix="hounsfield-")
    try:
        mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=kept.name)
    except mlflow.exceptions.MlflowException as error:
        raise Error(f"{address} could not be fetched: {error}") from error
    return model_folder(Path(kept.name)), kept


def needed(package: str, extra: str) -> Any:
    """A package that only some calls need."""
    try:
        return __import__(package)
    except ImportError as error:
        raise MissingPackage(f'{package} is not installed; first: pip install "hounsfield[{extra}]"') from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a file."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error}") from error


def read_heat(path: Path) -> "np.ndarray":
    """The heat map in a picture file."""
    numpy = needed("numpy", "notebooks")
    needed("PIL", "notebooks")
    from PIL import Image

    with Image.open(path) as image:
        return numpy.asarray(image)


def file_name(place: int) -> str:
    """Names that sort by place."""
    return f"{place:09}"
