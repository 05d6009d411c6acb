"""Decodes and resizes a folder of images with Pillow, as fast as threads allow; prints one line of JSON.

Pillow releases the interpreter lock while it decodes and resizes, so threads work side by side.

    pillow_reference.py DIR --threads 2 --image-size 224
"""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import PIL
from PIL import Image


def decode_and_resize(path: Path, size: int) -> int:
    """Like Keras' `load_img` and torchvision's `Resize` on a PIL image: antialiased, bilinear."""
    with Image.open(path) as image:
        resized = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    return len(resized.tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--image-size", type=int, default=224, metavar="PIXELS")
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    started = time.perf_counter()
    with ThreadPoolExecutor(options.threads) as pool:
        total = sum(pool.map(lambda path: decode_and_resize(path, options.image_size), paths))
    seconds = time.perf_counter() - started
    assert total == len(paths) * 3 * options.image_size**2
    print(
        json.dumps(
            {
                "images": len(paths),
                "seconds": seconds,
                "images_per_s": len(paths) / seconds,
                "threads": options.threads,
                "versions": {"pillow": PIL.__version__},
            }
        )
    )


if __name__ == "__main__":
    main()
