"""Hounsfield from Python: predictions of a trained model, and the results of a study.

    import hounsfield

    model = hounsfield.load("my-study")
    model.predict("scan.png").predicted
    hounsfield.Study("my-study").scores["accuracy"]

There is no training loop here: the programs train, and `Study.run` starts them.
Research use only. Not a medical device.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .errors import Error, ImageError, MissingPackage, ModelError, NotThere, StageFailed, ToolFailed

if TYPE_CHECKING:
    from .model import Model, Prediction, Predictions, load
    from .study import Study

__all__ = [
    "Error",
    "ImageError",
    "MissingPackage",
    "Model",
    "ModelError",
    "NotThere",
    "Prediction",
    "Predictions",
    "StageFailed",
    "Study",
    "ToolFailed",
    "load",
]

# Imported when they are asked for: the command line starts without them.
_LATER = {"Model": "model", "Prediction": "model", "Predictions": "model", "load": "model", "Study": "study"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hounsfield")
    if name in _LATER:
        return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
