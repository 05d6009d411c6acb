"""Suites of pictures that other people made for their own decoders: pydicom's test files and
pydicom-data, Pillow's test images from its source distribution, libtiff's, and PngSuite. All of them
go through `imaging`; each is equal to what pydicom or Pillow reads, refused with a clear message, or different
for a reason that is listed here. docs/foreign-pictures.md has the counts.

Missing packages are fetched with pip and apt-get; without a network the test is skipped, and with
HOUNSFIELD_REQUIRE_STRANGERS=1 it fails.
"""

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy
import pydicom
import pytest
from PIL import Image

import strangers

PROJECT = Path(__file__).resolve().parents[2]

# Path in a suite, and the reason for the difference.
DIFFERENT = {
    # Fewer than eight bits: ours are rounded, Pillow's truncated.
    "bmp/g/rgb16-565.bmp": "rounding",
    "bmp/g/rgb16-565pal.bmp": "rounding",
    "bmp/g/rgb16.bmp": "rounding",
    # Pixels that run lengths omit, and a canvas that the first frame does not cover: black here, the first colour or
    # the background of the palette in Pillow.
    "bmp/q/pal4rletrns.bmp": "left out",
    "bmp/q/pal8rletrns.bmp": "left out",
    "dispose_bgnd_transparency.gif": "left out",
    "first_frame_transparency.gif": "left out",
    # Four by four pixels with colours of half the size, interpolated differently.
    "app13.jpg": "lossy",
    # According to its header its pixels start where its palette does.
    "mmap_error.bmp": "contradictory",
    # Colours are divided by alpha in sixteen bits here; Pillow truncates them to eight bits first.
    "tiff_16bit_RGBa.tiff": "depth",
    "tiff_strip_planar_16bit_RGBa.tiff": "depth",
    # JPEG with or without a container, by another decoder.
    "hopper_jpg.tif": "lossy",
    "pil168.tif": "lossy",
    "tiff_strip_cmyk_16l_jpeg.tif": "lossy",
}

# The allowed refusals: the words after the format, each of which says what to do or what the file is.
CLEAR = re.compile(
    r"^(the file is empty|not an image: |[\w /]+: another format|truncated \w+: |damaged \w+: .|"
    r"DICOM without a picture: .|\w+ of a kind that is not supported: .|\w+ of \d+×\d+ pixels|"
    r"\w+ whose picture is not clear: .|\w+ that costs too much to decode: .|"
    r"\w+ that needs too much memory)"
)


@pytest.fixture(scope="session")
def program():
    command = ["cargo", "build", "--release", "--locked", "--workspace", "--example", "decode"]
    subprocess.run(command, cwd=PROJECT, check=True)
    return PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples/decode"


def missing(what, error):
    if os.environ.get("HOUNSFIELD_REQUIRE_STRANGERS") == "1":
        pytest.fail(f"{what} cannot be had: {error}")
    pytest.skip(f"{what} cannot be had: {error}")


def run(what, command, folder):
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        missing(what, getattr(error, "stderr", None) or error)


def unpacked(archives, folder):
    archives = list(archives)
    assert archives, folder
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")


def by_pip(requirement, folder):
    """A source distribution, unpacked."""
    name = requirement.split("=")[0]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", name, requirement]
    run(requirement, command, folder)
    unpacked(folder.glob("*.tar.gz"), folder)


def by_apt(package, folder):
    """A source package of Debian, unpacked; the machine's own package lists are unchanged."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "sources.list").write_text("deb-src http://deb.debian.org/debian bookworm main\n")
    options = [
        "-o", f"Dir::Etc::sourcelist={folder}/sources.list", "-o", "Dir::Etc::sourceparts=-",
        "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}",
    ]  # fmt: skip
    run(package, ["apt-get", *options, "update"], folder)
    run(package, ["apt-get", *options, "source", "--download-only", package], folder)
    unpacked(folder.glob("*.orig.tar.*"), folder)


def pydicom_data(folder):
    run("pydicom-data", [sys.executable, "-m", "pip", "install", "--target", folder, "pydicom-data"], folder)
    return folder / "data_store"


def suite(name, folder):
    match name:
        case "pydicom":
            return Path(pydicom.__file__).parent / "data" / "test_files"
        case "pydicom-data":
            return pydicom_data(folder)
        case "Pillow":
            by_pip("Pillow==13.0.0", folder)
            return next(folder.glob("pillow-*/Tests/images"))
        case "libtiff":
            by_apt("tiff", folder)
            return next(folder.glob("*tiff*/test/images"))
        case "PngSuite":
            by_apt("libpng1.6", folder)
            return next(folder.glob("libpng-*/contrib"))


@pytest.mark.parametrize("name", ["pydicom", "pydicom-data", "Pillow", "libtiff", "PngSuite"])
def test_no_stranger_is_another_picture_in_silence(program, tmp_path, name):
    folder = suite(name, tmp_path)
    outcomes = strangers.compare_all(program, folder)
    print(name, strangers.table(outcomes))
    assert any(outcome.kind == "equal" for outcome in outcomes)
    panicked = [outcome for outcome in outcomes if outcome.kind == "panicked"]
    assert not panicked, panicked
    unexplained = [
        f"{outcome.path}: {outcome.detail}"
        for outcome in outcomes
        if outcome.kind == "different" and str(outcome.path.relative_to(folder)) not in DIFFERENT
    ]
    assert not unexplained, "\n".join(unexplained)
    unclear = [
        f"{outcome.path}: {outcome.detail}"
        for outcome in outcomes
        if outcome.kind in ("refused", "both refuse") and not CLEAR.match(outcome.detail)
    ]
    assert not unclear, "\n".join(unclear)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_pictures_are_upright_for_programs_and_python_alike(program, tmp_path, file_format, orientation):
    sys.path.insert(0, str(PROJECT / "crates/tracking/registered-model/src"))
    loader = pytest.importorskip("hounsfield_model")
    y, x = numpy.mgrid[0:48, 0:32]
    picture = Image.fromarray(((x * 5 + y * 2) % 256).astype(numpy.uint8))
    exif = Image.Exif()
    exif[strangers.EXIF_ORIENTATION] = orientation
    written = io.BytesIO()
    options = {"lossless": True} if file_format == "WEBP" else {}
    picture.save(written, file_format, exif=exif, **options)
    path = tmp_path / "picture"
    path.write_bytes(written.getvalue())
    ours = strangers.decoded(program, path)
    python = loader.decode(written.getvalue())
    assert python.shape[:2] == ((32, 48) if orientation >= 5 else (48, 32))
    assert (ours["height"], ours["width"]) == python.shape[:2]
    difference = numpy.abs(ours["levels"][:, :, 0].astype(int) - python[:, :, 0])
    assert difference.max() <= (3 if file_format == "JPEG" else 0)
