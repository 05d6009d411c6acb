"""The images that both sides predict, and the requests with them."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from measure import NotMeasured
from serve.http1 import Address, request

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}


@dataclass(frozen=True)
class Scans:
    """Image files, ordered so that neighbours are of different classes."""

    files: Sequence[Path]

    @classmethod
    def below(cls, folder: Path) -> "Scans":
        """Every image of a folder; raises NotMeasured if there is none."""
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise NotMeasured(f"there are no images in {folder}")
        # By a hash of the name that is the same everywhere, so that folders are mixed.
        return cls(sorted(files, key=lambda path: hash_of(path.relative_to(folder).as_posix())))

    @cached_property
    def bodies(self) -> list[bytes]:
        return [path.read_bytes() for path in self.files]

    def as_base64(self, address: Address) -> list[bytes]:
        """The usual client's request, to ours and to the peer alike."""
        return [request(address, "POST", "/predict", json_of(body), "application/json") for body in self.bodies]

    def as_bytes(self, address: Address) -> list[bytes]:
        """The image itself, to ours."""
        return [request(address, "POST", "/v1/predict", body) for body in self.bodies]


def json_of(body: bytes) -> bytes:
    return json.dumps({"image": base64.b64encode(body).decode()}).encode()


def hash_of(text: str) -> int:
    """FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
