"""Whether an exported file answers as the model does, on pictures."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import hounsfield_model
from ..errors import ImageError, NotThere
from .network import INPUT, in_fp32

TOLERANCE = 1e-4


@dataclass
class Parity:
    """The largest differences between probabilities."""

    difference: float = 0.0
    """Between the file and the model, computed in fp32."""
    own_difference: float = 0.0
    """Between the file and the model as it computes by itself; another number only where that is bf16."""
    images: int = 0
    other_classes: int = 0
    """Pictures of which the file says another class than the model by itself."""
    unread: int = 0
    """Pictures that were left out: the loader, or the file, cannot take them."""


def validation_images(model: Path) -> list[Path]:
    """The validation images of the study around a model folder."""
    artifacts = model.absolute().parent / "artifacts"
    manifest = artifacts / "data_validation" / "manifest.csv"
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == "valid" and not row["excluded"]]
    except (KeyError, ValueError, csv.Error) as error:
        raise NotThere(f"{manifest} is no manifest of validate: {error}") from error
    except OSError as error:
        raise NotThere(
            f"there is no study around {model} whose validation images the file could be compared on "
            f"({manifest} cannot be read); name pictures with --images FOLDER"
        ) from error
    return [artifacts / "data_ingestion" / row["path"] for row in rows]


def images_in(folder: Path) -> list[Path]:
    """The files in a folder and in those below it."""
    if not folder.is_dir():
        raise NotThere(f"{folder}: there is no such folder")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def compared(file: Path, model: Path, pictures: Iterable[Path], *, takes_pixels: bool) -> Parity:
    """Lets onnxruntime and the loader answer the same pictures."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    own = hounsfield_model.Model(model)
    exact = own
    if own.format != torch.float32:
        exact = hounsfield_model.Model(model)
        in_fp32(exact)
    found = Parity()
    for batch in batches(decoded(pictures, found, takes_pixels=takes_pixels)):
        planes = torch.from_numpy(np.stack([own.planes_of(it) for it in batch]))
        said = answers(session, batch, own, takes_pixels=takes_pixels)
        expected = exact.probabilities(planes)
        by_itself = expected if exact is own else own.probabilities(planes)
        found.difference = largest(found.difference, said - expected)
        found.own_difference = largest(found.own_difference, said - by_itself)
        found.other_classes += int((said.argmax(axis=1) != by_itself.argmax(axis=1)).sum())
        found.images += len(batch)
    if not found.images:
        raise ImageError(
            f"none of the {found.unread} files is a picture that the file and the model can be compared on; "
            "name others with --images FOLDER"
        )
    return found


def largest(before: float, differences: np.ndarray) -> float:
    """The larger one; what is not a number is the largest."""
    return float(np.maximum(before, np.abs(differences).max()))


def decoded(pictures: Iterable[Path], found: Parity, *, takes_pixels: bool) -> Iterator[np.ndarray]:
    """Pixels of the pictures that can be compared. DICOM, for one, is not for the loader."""
    for path in pictures:
        content = path.read_bytes()
        try:
            pixels = hounsfield_model.decode(content)
        except Exception:  # noqa: BLE001 - Pillow raises anything where a file is damaged
            found.unread += 1
            continue
        if takes_pixels and pixels.dtype != np.uint8:
            found.unread += 1
            continue
        yield pixels


def batches(pictures: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
    while batch := list(islice(pictures, hounsfield_model.FORWARD_BATCH)):
        yield batch


def answers(session: Any, batch: list[np.ndarray], model: hounsfield_model.Model, *, takes_pixels: bool) -> np.ndarray:
    """What the file says of pictures, which may have different sizes."""
    if takes_pixels:
        return np.concatenate([session.run(None, {INPUT: coloured(it)[None]})[0] for it in batch])
    images = np.stack([levels(it, model) for it in batch])
    return np.asarray(session.run(None, {INPUT: images})[0])


def levels(pixels: np.ndarray, model: hounsfield_model.Model) -> np.ndarray:
    """Pixels as the file takes them: [3, S, S], fp32, from 0 to 255 even where they have 16 bits."""
    small = hounsfield_model.resize(coloured(pixels), model.image_size, model.interpolation)
    return small.astype(np.float32).transpose(2, 0, 1) / np.float32(np.iinfo(pixels.dtype).max // 255)


def coloured(pixels: np.ndarray) -> np.ndarray:
    """[H, W, 3], also of a grey picture."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
