"""DICOM as decoded by `imaging`, compared with pydicom: every file of pydicom's own tests, and slices written here in
the transfer syntaxes that those lack."""

import json
import os
import subprocess
from pathlib import Path

import numpy
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, pixel_array
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from strangers import first, windowed

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
LUNG = (-600.0, 1500.0)
WHITE = 65535

# Among pydicom's own files. All others must decode to the values of pydicom.
REFUSED = {
    "JPEG with": ["JPEG-lossy.dcm", "JPGExtended.dcm"],
    "JPEG-LS": [
        "JPEGLSNearLossless_08.dcm",
        "JPEGLSNearLossless_16.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_jls_lossy_sample.dcm",
    ],
    "32 bits a sample": [
        "SC_rgb_rle_32bit.dcm",
        "SC_rgb_rle_32bit_2frame.dcm",
        "badVR.dcm",
        "rtdose.dcm",
        "rtdose_1frame.dcm",
        "rtdose_expb.dcm",
        "rtdose_expb_1frame.dcm",
        "rtdose_rle.dcm",
        "rtdose_rle_1frame.dcm",
    ],
    "PALETTE COLOR": ["examples_palette.dcm"],
    "YBR_FULL_422 without JPEG": ["SC_ybr_full_422_uncompressed.dcm"],
    "truncated": ["MR_truncated.dcm"],
    # In a container, which DICOM does not allow and which states that green comes first.
    "in a JP2 container": ["GDCMJ2K_TextGBR.dcm"],
    # Broken on purpose.
    "JPEG 2000 of": ["JPEG2000-embedded-sequence-delimiter.dcm"],
}


@pytest.fixture(scope="session")
def decode():
    """`imaging` as a function of files and a window, or None: returns the output of its example program."""
    command = ["cargo", "build", "--release", "--locked", "--workspace", "--example", "decode"]
    subprocess.run(command, cwd=PROJECT, check=True)
    program = PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples/decode"

    def run(file, window=None):
        text = "-" if window is None else f"{window[0]},{window[1]}"
        done = subprocess.run([program, text, file], capture_output=True, check=True)
        head, rows = done.stdout.split(b"\n", 1)
        head = json.loads(head)
        if "error" not in head:
            kind = ">u2" if head["bits"] == 16 else "u1"
            pixels = numpy.frombuffer(rows, kind).reshape(head["height"], head["width"], 3)
            head["grey16"] = pixels.astype(int) * (1 if head["bits"] == 16 else 257)
            head["rgb8"] = pixels.astype(int) // (257 if head["bits"] == 16 else 1)
        return head

    return run


def shipped():
    """Every DICOM file of pydicom, with a path from SHIPPED."""
    for path in sorted(SHIPPED.rglob("*")):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM":
            yield str(path.relative_to(SHIPPED))


def refusal(name):
    return next((reason for reason, names in REFUSED.items() if name in names), None)


def rescaled(dataset):
    """The first frame in Hounsfield units, or in the file's own unit."""
    return apply_modality_lut(pixel_array(dataset, index=0), dataset).astype(float)


def colours_of(dataset):
    """The first frame as pydicom decodes it; skips the test if it cannot."""
    try:
        return pixel_array(dataset, index=0)
    except RuntimeError as error:
        # Its only decoder of lossless JPEG in colour is under the GPL, and is not installed here.
        return pytest.skip(f"pydicom has no decoder: {error}")


def expected_grey(dataset, window):
    grey = windowed(rescaled(dataset), window)
    return WHITE - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


def expected_window(dataset):
    if dataset.get("Modality") == "CT" and "RescaleSlope" in dataset:
        return LUNG
    if "WindowCenter" in dataset:
        return first(dataset.WindowCenter), first(dataset.WindowWidth)
    values = rescaled(dataset)
    return (values.min() + values.max()) / 2 + 0.5, values.max() - values.min() + 1


@pytest.mark.parametrize("name", list(shipped()))
def test_files_of_pydicom(decode, name):
    dataset = pydicom.dcmread(SHIPPED / name)
    decoded = decode(SHIPPED / name)
    if reason := refusal(name):
        assert reason in decoded["error"]
        return
    if "Rows" not in dataset or dataset.get("Modality") == "SEG":
        assert decoded["error"].startswith(("DICOM without a picture", "damaged DICOM")), decoded
        return
    assert "error" not in decoded, decoded["error"]
    if dataset.SamplesPerPixel == 3:
        colours = colours_of(dataset)
        if dataset.BitsAllocated == 16:
            assert (decoded["grey16"] == colours).all()
        else:
            lossy = dataset.file_meta.TransferSyntaxUID.name.startswith("JPEG Baseline")
            # Two JPEG decoders may round differently, and interpolate colours of half the width.
            assert numpy.abs(decoded["rgb8"] - colours).mean() <= (2 if lossy else 0)
        assert decoded["window"] is None
        return
    window = expected_window(dataset)
    assert tuple(decoded["window"]) == window
    grey = expected_grey(dataset, window)
    if "PixelPaddingValue" in dataset:
        stored = pixel_array(dataset, index=0)
        grey = numpy.where(stored == dataset.PixelPaddingValue, 0, grey)
    difference = numpy.abs(decoded["grey16"][:, :, 0] - grey)
    # Irreversible JPEG 2000 may differ by a step of the stored value.
    irreversible = dataset.file_meta.TransferSyntaxUID.name == "JPEG 2000 Image Compression"
    step = dataset.get("RescaleSlope", 1) * WHITE / (window[1] - 1)
    assert difference.max() <= (1.01 * step if irreversible else 0.51)


def ct(stored, bits_stored=16, slope=1.0, intercept=-1024.0, photometric="MONOCHROME2"):
    """A CT slice of these stored values."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.Modality = "CT"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits_stored, bits_stored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    dataset.PixelData = stored.tobytes()
    return dataset


def save(dataset, syntax, path):
    if syntax in (RLELossless, JPEG2000Lossless):
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = numpy.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return pydicom.dcmread(path)


SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEG2000Lossless,
]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits_stored", [12, 16])
@pytest.mark.parametrize("window", [None, (40.0, 400.0), (-1000.0, 1.0), (0.5, 4095.5)])
def test_hounsfield_units_through_windows(decode, tmp_path, syntax, signed, bits_stored, window):
    random = numpy.random.default_rng(7)
    low, high = (-(1 << bits_stored - 1), 1 << bits_stored - 1) if signed else (0, 1 << bits_stored)
    stored = random.integers(low, high, (48, 64)).astype("<i2" if signed else "<u2")
    dataset = save(ct(stored, bits_stored, 0.75, -1000.5), syntax, tmp_path / "slice.dcm")
    decoded = decode(tmp_path / "slice.dcm", window)
    assert tuple(decoded["window"]) == (window or LUNG)
    grey = expected_grey(dataset, window or LUNG)
    assert numpy.abs(decoded["grey16"][:, :, 0] - grey).max() <= 0.51


def test_the_lowest_value_of_monochrome1_is_white(decode, tmp_path):
    stored = numpy.arange(0, 2048, dtype="<u2").reshape(32, 64)
    save(ct(stored, intercept=-1350.0, photometric="MONOCHROME1"), ExplicitVRLittleEndian, tmp_path / "slice.dcm")
    grey = decode(tmp_path / "slice.dcm")["grey16"][:, :, 0].ravel()
    assert grey[0] == WHITE
    assert grey[-1] == 0
    assert (numpy.diff(grey) <= 0).all()
