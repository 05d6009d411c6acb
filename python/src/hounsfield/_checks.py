"""Whether an image is of the kind that the model was trained on, and how that is said."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .errors import ModelError


class Answer(NamedTuple):
    """What a model says of one image; without calibration, nothing is known of its kind."""

    probabilities: list[float]
    correlation: float | None
    distance: float | None
    accepted: bool | None = None


class Reference:
    """The limits in `calibration.json`."""

    def __init__(self, foreign: dict[str, Any]) -> None:
        histograms = foreign["histogram"]
        self.classes: list[list[float]] = list(histograms["classes"].values())
        self.correlation_limit: float = histograms["correlation_limit"]
        self.distance_limit: float = foreign["feature_distance_limit"]

    @classmethod
    def read(cls, folder: Path) -> "Reference | None":
        """Of a model folder; None where the model was never calibrated."""
        path = folder / "calibration.json"
        if not path.exists():
            return None
        calibration = json.loads(path.read_text(encoding="utf-8"))
        if calibration.get("format") != 1:
            raise ModelError(f"{path} is of format {calibration.get('format')}; this reads 1")
        return cls(calibration["foreign"])

    def correlation(self, histogram: Sequence[float]) -> float:
        """The highest correlation of a grey histogram with those of the classes."""
        return max((pearson(histogram, reference) for reference in self.classes), default=-1.0)

    def reasons(self, correlation: float, distance: float) -> list[str]:
        """Which checks an image fails."""
        failed = []
        if not correlation >= self.correlation_limit:
            limit = self.correlation_limit
            failed.append(f"its grey values differ: correlation {correlation:.3f}, at least {limit:.3f}")
        if not distance <= self.distance_limit:
            limit = self.distance_limit
            failed.append(f"its features differ: distance {distance:.3f}, at most {limit:.3f}")
        return failed


def pearson(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson's correlation; 0 where either side does not vary."""
    mean_a, mean_b = sum(a) / max(len(a), 1), sum(b) / max(len(b), 1)
    covariance = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    scale = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return covariance / scale if scale > 0 else 0.0
