"""Pictures that other people made, decoded by `imaging` and by Pillow or pydicom: lists which are
equal, which are refused and with which message, and which differ.

    .venv-reference/bin/python tests/reference/strangers.py FOLDER… [--list]

compares every file below the folders. test_strangers.py does this with the suites that it fetches.
"""

import json
import subprocess
import sys
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy
import pydicom
from PIL import Image, ImageFile
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

LUNG = (-600.0, 1500.0)
WHITE = 65535
HOUNSFIELD = {None, "HU"}
CT_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
}

# Pillow's names for our formats.
FORMATS = {"PNG", "JPEG", "MPO", "TIFF", "BMP", "GIF", "WEBP"}
# Two decoders of a lossy picture may round differently, and interpolate colours of half the width.
LOSSY_MEAN = 2.0
LOSSY_FORMATS = {"JPEG", "MPO", "WEBP"}

EXIF_ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass
class Outcome:
    """The outcome for one file: `kind` is equal, refused, both refuse, read alone, or different."""

    path: Path
    kind: str
    detail: str = ""


class Panicked(Exception):
    """The decoding program ended without a picture or an error."""


def decoded(program, path):
    """The head that `decode` writes, with `levels` as its rows of 8 or 16 bits, or with `error`."""
    done = subprocess.run([program, "-", path], capture_output=True, check=False, timeout=300)
    if done.returncode != 0 or done.stderr:
        raise Panicked(f"{path}: {done.returncode}: {done.stderr.decode(errors='replace')}")
    head, rows = done.stdout.split(b"\n", 1)
    head = json.loads(head)
    if "error" not in head:
        kind = ">u2" if head["bits"] == 16 else "u1"
        head["levels"] = numpy.frombuffer(rows, kind).reshape(head["height"], head["width"], 3)
    return head


def is_dicom(path):
    """Whether it has the mark. Files without it are compared if pydicom can read them with `force`."""
    start = path.read_bytes()[:132]
    return start[128:132] == b"DICM" or path.suffix.lower() == ".dcm"


def upright(image):
    """Turns the picture upright by EXIF only, as browsers and `imaging` do. Pillow turns TIFF by itself."""
    exif = Image.Exif()
    if image.format != "TIFF" and (content := image.info.get("exif")):
        try:
            exif.load(content)
        except Exception:  # noqa: BLE001 - damaged EXIF says nothing of the picture
            return image
    turn = TURNS.get(exif.get(EXIF_ORIENTATION))
    return image.transpose(turn) if turn is not None else image


def of_pillow(path):
    """Format, mode, and RGB levels without alpha, of 8 bits or 16."""
    with Image.open(path) as image:
        image.load()
        file_format, mode = image.format, image.mode
        turned = upright(image)
        if mode.startswith("I;16"):
            grey = numpy.asarray(turned).astype(int)
            return file_format, mode, numpy.repeat(grey[:, :, None], 3, axis=2)
        if mode == "I" and file_format == "PNG":
            grey = numpy.asarray(turned).astype(int)
            return file_format, mode, numpy.repeat(grey[:, :, None], 3, axis=2)
        # Alpha is dropped: the colour of a transparent pixel becomes visible.
        turned.info.pop("transparency", None)
        plain = turned.convert("RGB")
        return file_format, mode, numpy.asarray(plain).astype(int)


def compare_picture(program, path):
    ours = decoded(program, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file_format, mode, levels = of_pillow(path)
    except Exception as error:  # noqa: BLE001 - whatever Pillow refuses a file with
        if "error" in ours:
            return Outcome(path, "both refuse", ours["error"])
        return Outcome(path, "read alone", f"Pillow: {error}")
    if "error" in ours:
        if file_format not in FORMATS and ours["error"].startswith("not an image"):
            return Outcome(path, "refused", f"{file_format}: another format")
        return Outcome(path, "refused", ours["error"])
    found = ours["levels"].astype(int)
    if found.shape != levels.shape:
        return Outcome(path, "different", f"size {found.shape[:2]} for {levels.shape[:2]}")
    if ours["bits"] == 16 and not (mode.startswith("I")):
        found = found >> 8
    if ours["bits"] == 8 and mode.startswith("I"):
        found = found * 257
    difference = numpy.abs(found - levels)
    if not difference.any():
        return Outcome(path, "equal", "to the last bit")
    worst, mean = difference.max(), difference.mean()
    is_lossy = file_format in LOSSY_FORMATS or b"JFIF" in path.read_bytes()[:65536]
    if is_lossy and mean <= LOSSY_MEAN:
        return Outcome(path, "equal", "within what lossy decoders differ by")
    return Outcome(path, "different", f"{file_format} {mode}: by {mean:.2f}, at most {worst}")


def first(value):
    """The first of several values, or the only one."""
    return float(value[0] if isinstance(value, MultiValue) else value)


def windowed(values, window):
    """DICOM PS3.3 C.11.2.1.2.1, as pydicom computes it, from black 0 to white 65535."""
    seen_through = Dataset()
    seen_through.WindowCenter, seen_through.WindowWidth = window
    seen_through.BitsStored, seen_through.PixelRepresentation = 16, 0
    seen_through.PhotometricInterpretation = "MONOCHROME2"
    return apply_voi_lut(values, seen_through)


def with_functional_groups(dataset):
    """The values that multi-frame objects have in functional groups, where pydicom looks for them."""
    groups = [
        *dataset.get("SharedFunctionalGroupsSequence", []),
        *dataset.get("PerFrameFunctionalGroupsSequence", [])[:1],
    ]
    for group in groups:
        for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for element in (group.get(name) or [Dataset()])[0]:
                if element.keyword not in dataset:
                    dataset.add(element)
    return dataset


def is_hounsfield(dataset):
    return (
        (dataset.get("Modality") == "CT" or dataset.get("SOPClassUID") in CT_IMAGES)
        and "RescaleSlope" in dataset
        and "RescaleIntercept" in dataset
        and dataset.get("RescaleType") in HOUNSFIELD
    )


def expected_grey(dataset):
    """Grey levels from 0 to 65535 by pydicom, and the allowed rounding difference."""
    stored = pixel_array(dataset, index=0)
    values = apply_modality_lut(stored, dataset)
    step = abs(float(dataset.get("RescaleSlope", 1) or 1))
    if is_hounsfield(dataset):
        grey, step = windowed(values.astype(float), LUNG), step * WHITE / (LUNG[1] - 1)
    elif dataset.get("VOILUTSequence"):
        white = (1 << dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
        grey = apply_voi_lut(values.astype(int), dataset, prefer_lut=True) * (WHITE / white)
        step = WHITE / white
    elif dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        window = Dataset()
        window.WindowCenter, window.WindowWidth = map(first, (dataset.WindowCenter, dataset.WindowWidth))
        window.BitsStored, window.PixelRepresentation = 16, 0
        window.PhotometricInterpretation = "MONOCHROME2"
        if "VOILUTFunction" in dataset:
            window.VOILUTFunction = dataset.VOILUTFunction
        grey = apply_voi_lut(values.astype(float), window)
        step *= WHITE / max(window.WindowWidth - 1, 1)
    else:
        low, high = float(values.min()), float(values.max())
        if "PixelPaddingValue" in dataset:
            shown = values[stored != dataset.PixelPaddingValue]
            low, high = float(shown.min()), float(shown.max())
        grey = windowed(values.astype(float), ((low + high) / 2 + 0.5, high - low + 1))
        step *= WHITE / max(high - low, 1)
    grey = grey.astype(float)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = WHITE - grey
    if "PixelPaddingValue" in dataset:
        grey = numpy.where(stored == dataset.PixelPaddingValue, 0, grey)
    return grey, step


def compare_dicom(program, path):
    ours = decoded(program, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = with_functional_groups(pydicom.dcmread(path, force=True))
            syntax = dataset.file_meta.get("TransferSyntaxUID")
            name = syntax.name if syntax is not None else ""
            if dataset.SamplesPerPixel == 3:
                levels, step = pixel_array(dataset, index=0).astype(int), None
            else:
                levels, step = expected_grey(dataset)
    except Exception as error:  # noqa: BLE001 - whatever pydicom refuses a file with
        if "error" in ours:
            return Outcome(path, "both refuse", ours["error"])
        return Outcome(path, "read alone", f"pydicom: {error}")
    if "error" in ours:
        return Outcome(path, "refused", ours["error"])
    found = ours["levels"].astype(int)
    if found.shape[:2] != levels.shape[:2]:
        return Outcome(path, "different", f"size {found.shape[:2]} for {levels.shape[:2]}")
    if step is None:
        scale = 257 if levels.max() > 255 and ours["bits"] == 8 else 1
        return judged_colours(path, name, numpy.abs(found * scale - levels))
    scale = 257 if ours["bits"] == 8 else 1
    return judged_grey(path, name, numpy.abs(found[:, :, 0] * scale - levels), step)


def judged_colours(path, name, difference):
    is_lossy = name.startswith(("JPEG Baseline", "JPEG Extended")) or name == "JPEG 2000 Image Compression"
    if not difference.any():
        return Outcome(path, "equal", "to the last bit")
    if is_lossy and difference.mean() <= LOSSY_MEAN:
        return Outcome(path, "equal", "within what lossy decoders differ by")
    return Outcome(path, "different", f"{name}: by {difference.mean():.2f}, at most {difference.max()}")


def judged_grey(path, name, difference, step):
    # Irreversible JPEG 2000 and lossy JPEG may differ by a step or two of the stored value.
    if difference.max() <= 0.51:
        return Outcome(path, "equal", "to the last bit")
    is_lossy = name.startswith("JPEG") and "Lossless" not in name
    if is_lossy and difference.max() <= 2.01 * step:
        return Outcome(path, "equal", "within what lossy decoders differ by")
    return Outcome(path, "different", f"{name}: by {difference.mean():.1f}, at most {difference.max():.1f}")


def compare(program, path):
    try:
        return (compare_dicom if is_dicom(path) else compare_picture)(program, path)
    except Panicked as error:
        return Outcome(path, "panicked", str(error))


def compare_all(program, folder):
    """One outcome for each file below a folder."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return [compare(program, path) for path in paths]


def table(outcomes):
    """Counts by kind, the usual ones first."""
    counts = Counter(outcome.kind for outcome in outcomes)
    kinds = ["equal", "refused", "both refuse", "read alone", "different", "panicked"]
    return {kind: counts[kind] for kind in kinds}


def main(arguments):
    is_listed = "--list" in arguments
    project = Path(__file__).resolve().parents[2]
    program = project / "target/release/examples/decode"
    for folder in (it for it in arguments if it != "--list"):
        outcomes = compare_all(program, folder)
        print(folder, table(outcomes))
        for outcome in outcomes:
            if is_listed or outcome.kind in ("different", "panicked"):
                print(f"  {outcome.kind}: {outcome.path.relative_to(folder)}: {outcome.detail}")


if __name__ == "__main__":
    main(sys.argv[1:])
