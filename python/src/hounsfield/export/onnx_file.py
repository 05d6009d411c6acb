"""An ONNX file that appears under its name only when it is whole, and answers as the model does."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from .. import hounsfield_model
from .._torch import check_digests
from ..errors import Error, ModelError
from ..model import NOTICE, description_of
from . import network
from .parity import TOLERANCE, Parity, compared

RECIPES = {
    False: (
        "float32 [N, 3, S, S], levels from 0 to 255 of red, green and blue; resized before by "
        "hounsfield_model.resize of the package hounsfield; 16-bit levels divided by 257; grey in all three"
    ),
    True: "uint8 [N, H, W, 3], pixels of pictures of any size, upright; resized inside as by the model itself",
}


class Differs(Error):
    """The file does not answer as the model does."""


@dataclass(frozen=True)
class Wanted:
    """What is to be written."""

    model: Path
    output: Path
    opset: int
    takes_pixels: bool


def export(wanted: Wanted, pictures: Iterable[Path]) -> Parity:
    """Writes the file and compares it. Nothing is under its name before, or where it differs."""
    import onnx

    description = description_of(wanted.model)
    made = loaded(wanted)
    path = wanted.output.with_name(f".{wanted.output.name}.{os.getpid()}.part")
    try:
        network.write(made, path, wanted.opset)
        onnx.checker.check_model(str(path), full_check=True)
        parity = compared(path, wanted.model, pictures, takes_pixels=wanted.takes_pixels)
        if not parity.difference <= TOLERANCE:
            raise Differs(
                f"nothing was written: on {parity.images} pictures the file's probabilities differ from the model's "
                f"by up to {parity.difference:.1e}, and {TOLERANCE:.0e} is the limit"
            )
        content = onnx.load(str(path))
        onnx.helper.set_model_props(content, properties(wanted, description, made.loaded, parity))
        content.producer_name, content.doc_string = "hounsfield", NOTICE
        onnx.save(content, str(path))
        onnx.checker.check_model(str(path))
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(wanted.output)
    finally:
        path.unlink(missing_ok=True)
    return parity


def loaded(wanted: Wanted) -> network.Network:
    """The network of a model folder that is not damaged."""
    try:
        check_digests(wanted.model)
        return network.Network(wanted.model, takes_pixels=wanted.takes_pixels)
    except Error:
        raise
    except KeyError as error:
        raise ModelError(f"the model in {wanted.model} cannot be used: its files lack {error}") from error
    except (TypeError, ValueError) as error:
        raise ModelError(f"the model in {wanted.model} cannot be used: {error}") from error


def properties(
    wanted: Wanted, description: dict[str, object], model: hounsfield_model.Model, parity: Parity
) -> dict[str, str]:
    """What the file says of itself."""
    import onnx
    import onnxruntime

    digests = description["digests"]
    assert isinstance(digests, dict)
    return {
        "notice": NOTICE,
        "model_digest": f"sha256:{str(digests['weights']).removeprefix('sha256:')}",
        "base": model.base,
        "head": model.head["kind"],
        "classes": json.dumps(model.classes, ensure_ascii=False),
        "image_size": str(model.image_size),
        "interpolation": model.interpolation,
        "input": RECIPES[wanted.takes_pixels],
        "temperature": repr(model.temperature),
        "precision": "fp32",
        "model_precision": str(description["precision"]),
        "parity_images": str(parity.images),
        "parity_largest_difference": f"{parity.difference:.3e}",
        "parity_limit": f"{TOLERANCE:.0e}",
        "parity_with": "the model computed in fp32",
        "largest_difference_from_model_precision": f"{parity.own_difference:.3e}",
        "other_classes_than_model_precision": str(parity.other_classes),
        "opset": str(wanted.opset),
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
