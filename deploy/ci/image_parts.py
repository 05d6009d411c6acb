#!/usr/bin/env python3
"""Lists what an image is made of, in CycloneDX: Debian's packages, libtorch, and the crates of the programs.

    deploy/ci/image_parts.py docker-archive:serve.tar dist/hounsfield.cdx.json requirements-libtorch-cpu.txt >parts.json

syft reads the image; `make sbom` lists the crates, which a stripped program no longer says itself; libtorch comes from
the package torch of the last list.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any


class Failed(Exception):
    """The list would not be whole."""


def parts_of_image(image: str) -> dict[str, Any]:
    """What syft finds in the image."""
    command = ["syft", "scan", "--quiet", "--output", "cyclonedx-json", image]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise Failed("syft is missing; install deploy/ci/requirements.txt") from error
    if done.returncode:
        raise Failed(f"syft cannot read {image}: {done.stderr.decode(errors='replace').strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def libtorch(requirements: str) -> dict[str, Any]:
    """libtorch as the package of PyPI that it is taken from."""
    found = re.search(r"^torch==([^\s;]+)", requirements, flags=re.MULTILINE)
    if not found:
        raise Failed("the list of libtorch names no torch==…")
    purl = f"pkg:pypi/torch@{found[1].replace('+', '%2B')}"
    return {"type": "library", "name": "torch", "version": found[1], "purl": purl, "bom-ref": purl}


def joined(image: dict[str, Any], crates: dict[str, Any], torch: dict[str, Any]) -> dict[str, Any]:
    """One list; the image stays what it describes."""
    packages = [part for part in image.get("components", []) if part.get("purl", "").startswith("pkg:deb/")]
    if not packages:
        raise Failed("the image has no list of Debian packages, so what it is made of cannot be said")
    found = [part for part in crates.get("components", []) if part.get("purl", "").startswith("pkg:cargo/")]
    if not found:
        raise Failed("the list of crates is empty; make it: make sbom")
    known = {part.get("bom-ref") for part in image["components"]}
    added = [part for part in [torch, *crates["components"]] if part.get("bom-ref") not in known]
    return image | {
        "components": image["components"] + added,
        "dependencies": [*image.get("dependencies", []), *crates.get("dependencies", [])],
    }


def main(words: list[str]) -> int:
    if len(words) != 3:
        print("image_parts: say which image and lists: docker-archive:serve.tar CRATES LIBTORCH", file=sys.stderr)
        return 2
    image, crates, requirements = words
    try:
        torch = libtorch(Path(requirements).read_text(encoding="utf-8"))
        whole = joined(parts_of_image(image), json.loads(Path(crates).read_text(encoding="utf-8")), torch)
    except (Failed, OSError, ValueError) as error:
        print(f"image_parts: {error}", file=sys.stderr)
        return 1
    json.dump(whole, sys.stdout, indent=1, sort_keys=True)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
