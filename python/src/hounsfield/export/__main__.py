"""The command line of `hounsfield export`."""

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Error, NotThere
from ..model import model_folder, needed, read_json

if TYPE_CHECKING:
    from .parity import Parity

OPSETS = range(17, 21)
EXAMPLE = """\
The file takes `image` and answers `probabilities`, calibrated, one row for each image:
  without --pixels   image is float32 [N, 3, S, S], levels from 0 to 255 that were resized before, by
                     hounsfield.hounsfield_model.resize. ONNX's own Resize rounds in another way.
  with --pixels      image is uint8 [N, H, W, 3], of any size; the file resizes as the model does.
Before it appears, onnxruntime answers the study's validation images, or those of --images, and
the probabilities are compared with the model's. Where they differ by more than 1e-4, nothing is written.
A model of bf16 is exported in fp32; the file and the last line say how far that is from its own answers.

Examples:
  hounsfield export --format onnx
  hounsfield export --format onnx --pixels --output lungs.onnx
  hounsfield export --format onnx --model kept/model --images some-scans

Exit codes: 0 written, 1 failed, 2 bad usage, 130 stopped by Ctrl-C.
Research use only. Not a medical device."""


def main(arguments: list[str] | None = None) -> int:
    """Exports a model."""
    options = parser().parse_args(arguments)
    try:
        return export(options)
    except KeyboardInterrupt:
        print("hounsfield: stopped; nothing was written", file=sys.stderr)
        return 130
    except (Error, OSError) as error:
        print(f"hounsfield: failed to export {options.model}: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="hounsfield export",
        description="Write the model as ONNX, and compare its answers with the model's own.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--format", required=True, choices=["onnx"], help="the format")
    made.add_argument("--model", type=Path, default=Path("model"), metavar="FOLDER", help="the model [model]")
    made.add_argument("--output", type=Path, default=Path("model.onnx"), metavar="FILE", help="[model.onnx]")
    made.add_argument("--images", type=Path, metavar="FOLDER", help="pictures to compare on [the validation images]")
    made.add_argument("--pixels", action="store_true", help="the file takes pictures of any size, and resizes them")
    made.add_argument(
        "--opset", type=int, default=OPSETS[0], choices=OPSETS, metavar="N",
        help=f"version of ONNX's operators, {OPSETS[0]} to {OPSETS[-1]} [{OPSETS[0]}]",
    )  # fmt: skip
    return made


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def export(options: argparse.Namespace) -> int:
    folder = model_folder(options.model)
    if options.output.is_dir() or not options.output.parent.is_dir():
        raise NotThere(f"{options.output} cannot be written: name a file in a folder that exists")
    needed("torch", "torch")
    for package in ("onnx", "onnxruntime"):
        needed(package, "onnx")
    from .onnx_file import Wanted, export
    from .parity import images_in, validation_images

    if members := read_json(folder / "model.json").get("ensemble"):
        raise NotThere(f"it is an ensemble of {len(members)}, and a file holds one network: export its members")
    pictures = images_in(options.images) if options.images else validation_images(folder)
    if not pictures:
        raise NotThere("there are no pictures to compare on; name some with --images FOLDER")
    wanted = Wanted(folder, options.output, options.opset, options.pixels)
    parity = export(wanted, pictures)
    print(in_words(wanted.output, parity, options.opset))
    return 0


def in_words(output: Path, parity: "Parity", opset: int) -> str:
    size = output.stat().st_size / 1e6
    left_out = f" ({parity.unread} files cannot be compared)" if parity.unread else ""
    words = (
        f"wrote {output}: {size:.1f} MB, opset {opset}; its probabilities are the model's to {parity.difference:.1e} "
        f"on {parity.images} pictures{left_out}"
    )
    if parity.own_difference != parity.difference:
        words += (
            f"\nthe model computes in bf16 and the file in fp32: they differ by up to {parity.own_difference:.1e}, "
            f"and in the class of {parity.other_classes} of {parity.images} pictures"
        )
    return words


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    sys.exit(main())
