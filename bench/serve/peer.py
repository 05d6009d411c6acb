"""The peer's process: Flask + Keras, with the architecture of our model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measure import NotMeasured
from serve.ours import START_S, Ours
from serve.process import Serving, serving


@dataclass(frozen=True)
class Peer:
    """A Python with Keras and Flask."""

    python: Path
    logs: Path

    @contextmanager
    def start(self, server: str, ours: Ours) -> Iterator[Serving]:
        """`server` is flask or waitress."""
        if not self.python.is_file():
            raise NotMeasured(f"{self.python} is missing; scripts/setup bench makes it")
        architecture = ours.description()["architecture"]
        words: list[str | Path] = [
            self.python,
            Path(__file__).with_name("flask_keras.py"),
            "--server",
            server,
            "--image-size",
            str(architecture["image_size"]),
            "--classes",
            ",".join(architecture["classes"]),
        ]
        base = ours.project / "artifacts/base_model/base_model.safetensors"
        if base.is_file():
            words += ["--weights", base]
        with serving(words, Path(__file__).parent, self.logs / f"{server}.log", START_S) as peer:
            yield peer
