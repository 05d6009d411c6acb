"""Predictions in this process, with PyTorch: the loader that MLflow uses, and the checks of `predict`."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file

from . import hounsfield_model
from ._checks import Answer, Reference
from ._pictures import Picture
from .errors import ImageError, ModelError

BINS = 32
# Luma of ITU-R BT.601 in 16-bit fixed point, as Pillow computes it.
LUMA = np.array([19_595, 38_470, 7_471], dtype=np.uint32)


class Engine(hounsfield_model.Model):
    """A model in memory."""

    def __init__(self, folder: Path, reference: Reference | None, device: str) -> None:
        check_digests(folder)
        try:
            super().__init__(folder, device)
        except (KeyError, ValueError) as error:
            raise ModelError(f"the model in {folder} cannot be used: {error}") from error
        self.reference = reference
        self.pooled = np.empty((0, 0))
        if reference:
            features = load_file(folder / "foreign.safetensors")
            self.mean_features = features["mean"].astype(np.float64)
            self.whitening = np.tril(features["whitening"].astype(np.float64))

    def answers(self, pictures: Sequence[Picture]) -> Iterator[Answer | ImageError]:
        """An answer for each picture, or why it cannot be read."""
        for start in range(0, len(pictures), hounsfield_model.FORWARD_BATCH):
            read = [self.read(picture) for picture in pictures[start : start + hounsfield_model.FORWARD_BATCH]]
            pixels = [it for it in read if not isinstance(it, ImageError)]
            said = iter(self.predicted(pixels))
            yield from (it if isinstance(it, ImageError) else next(said) for it in read)

    def read(self, picture: Picture) -> "np.ndarray | ImageError":
        content = picture.content
        try:
            if isinstance(content, np.ndarray):
                return content[:, :, None] if content.ndim == 2 else content
            return hounsfield_model.decode(picture.file_bytes())
        except Exception as error:  # noqa: BLE001 - Pillow raises anything where a file is damaged
            return ImageError(f"{picture.name}: {error}")

    def predicted(self, pixels: "list[np.ndarray]") -> Iterator[Answer]:
        if not pixels:
            return
        planes = np.stack([self.planes_of(it) for it in pixels])
        rows = self.probabilities(torch.from_numpy(planes))
        for picture, row, features in zip(pixels, rows, self.pooled, strict=False):
            if not np.isfinite(row).all():
                raise ModelError("the model's answer is not a number")
            correlation = distance = None
            if self.reference:
                correlation = self.reference.correlation(histogram(picture).tolist())
                distance = self.distance(features)
            yield Answer([float(it) for it in row], correlation, distance)

    def distance(self, features: np.ndarray) -> float:
        """Mahalanobis' distance from the training images, over the square root of the channels."""
        whitened = self.whitening @ (features - self.mean_features)
        return float(np.sqrt(np.square(whitened).sum() / len(features)))

    def head_inputs(self, images: torch.Tensor) -> torch.Tensor:
        """What the head sees; what the checks need of it is kept."""
        seen = super().head_inputs(images)
        self.pooled = pooled(seen, self.head["kind"], self.channels).double().cpu().numpy()
        return seen


def pooled(seen: torch.Tensor, head: str, channels: int) -> torch.Tensor:
    """The mean of each of the last maps' channels, from what the head sees."""
    if head == "global_pool":
        return seen
    if head in ("linear", "kernel"):
        # The last maps' part is the last one: means first, then deviations.
        return seen[:, -2 * channels : -channels]
    cells = seen if head == "flatten" else seen[:, -17 * channels : -channels]
    return cells.reshape(len(seen), channels, -1).mean(dim=2)


def histogram(pixels: np.ndarray) -> np.ndarray:
    """Share of the pixels [H, W, 1 or 3] in each of 32 bins of grey."""
    levels = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    if levels.shape[2] == 3:
        levels = (levels.astype(np.uint32) @ LUMA + 0x8000) >> 16
    counts = np.bincount((levels.reshape(-1) // (256 // BINS)).astype(np.intp), minlength=BINS)
    return counts / counts.sum()


def check_digests(folder: Path) -> None:
    """Raises `ModelError` where a file is not the one that was written with the model."""
    description: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    recorded = {"trained_model.safetensors": description.get("digests", {}).get("weights")}
    path = folder / "calibration.json"
    if path.exists():
        calibration = json.loads(path.read_text(encoding="utf-8"))
        if calibration["model"] != recorded["trained_model.safetensors"]:
            raise ModelError(f"{path} belongs to another model; calibrate again")
        recorded["foreign.safetensors"] = calibration["foreign"]["features"]
    for name, digest in recorded.items():
        with (folder / name).open("rb") as file:
            found = hashlib.sha256()
            while block := file.read(1 << 20):
                found.update(block)
        if found.hexdigest() != str(digest).removeprefix("sha256:"):
            raise ModelError(f"{folder / name} has changed since the model was made, or is damaged")
