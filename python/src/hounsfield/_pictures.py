"""What may be predicted, made into the bytes of a picture file or an array of pixels."""

import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import ImageError, NotThere

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

    Image = str | os.PathLike[str] | bytes | PIL.Image.Image | np.ndarray

KINDS = "a path, bytes of a picture file, a PIL image, or an array [H, W] or [H, W, 3] of uint8 or uint16"


class Picture(NamedTuple):
    """One picture: a file, its bytes, or its pixels."""

    name: str
    content: "Path | bytes | np.ndarray"

    def file_bytes(self) -> bytes:
        """The bytes of a picture file."""
        if isinstance(self.content, Path):
            return self.content.read_bytes()
        return self.content if isinstance(self.content, bytes) else png(self.content)


def is_one(images: Any) -> bool:
    """Whether this is one image and not several."""
    return isinstance(images, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(
        images, "__array_interface__"
    )


def picture(image: Any, place: int) -> Picture:
    """The picture at a place in what was given."""
    name = f"image {place}"
    if isinstance(image, (str, os.PathLike)):
        path = Path(image).absolute()
        if not path.exists():
            raise NotThere(f"{image}: there is no such file")
        if path.is_dir():
            raise ImageError(f'{image} is a folder; give its files: sorted(Path("{image}").rglob("*.png"))')
        return Picture(str(image), path)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return Picture(name, bytes(image))
    if hasattr(image, "mode") and hasattr(image, "getbands"):
        return Picture(getattr(image, "filename", "") or name, of_pil(image, name))
    if hasattr(image, "__array_interface__"):
        return Picture(name, of_array(image, name))
    raise ImageError(f"{name} is of the type {type(image).__name__}; expected {KINDS}")


def of_pil(image: Any, name: str) -> "np.ndarray":
    """Pixels of a PIL image, upright. Alpha is dropped, not blended with a background."""
    import numpy as np
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("I", "F"):
        raise ImageError(f"{name} has samples of Pillow's mode {image.mode}; expected 8 or 16 bits")
    if image.mode in ("1", "L", "LA", "La"):
        return np.asarray(image.convert("L"))
    if image.mode == "RGBA":
        return np.asarray(image)[:, :, :3]
    return np.asarray(image.convert("RGB"))


def of_array(array: Any, name: str) -> "np.ndarray":
    """The array itself, if its shape and type are those of a picture."""
    import numpy as np

    pixels = np.asarray(array)
    if pixels.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise ImageError(
            f"{name} is an array of {pixels.dtype}; expected uint8 or uint16, with the full range from black to white"
        )
    is_flat = pixels.ndim == 2
    if not is_flat and not (pixels.ndim == 3 and pixels.shape[2] == 3):
        raise ImageError(f"{name} is an array of the shape {list(pixels.shape)}; expected {KINDS}")
    if 0 in pixels.shape:
        raise ImageError(f"{name} is an array without pixels: its shape is {list(pixels.shape)}")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def png(pixels: "np.ndarray") -> bytes:
    """A PNG file of an array, of 8 or 16 bits. Pillow has no colours of 16 bits."""
    height, width = pixels.shape[:2]
    bits = 8 * pixels.dtype.itemsize
    colour = 2 if pixels.ndim == 3 else 0
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    # Before each row, the filter that it went through: none.
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
