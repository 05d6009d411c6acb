"""Our server in its own folder: the project's model, but not its records."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from measure import NotMeasured
from serve.http1 import Connection, Lost, request
from serve.process import Serving, serving

# The time that a reload with a big model on a busy machine may take, or the start of the peer.
START_S = 120.0
READY_POLL_S = 0.002


def temporary_config(config: dict[str, Any], folder: Path) -> str:
    """The project's config.yaml with the server's own records in `folder`, on a free port and on the processor, like
    the peer. Every image gets a prediction, because a refusal is shorter."""
    serve: dict[str, Any] = dict(config.get("serve") or {})
    # Access rules do not affect speed, and the generator has no keys.
    for guard in ("keys", "tls", "cors_origins"):
        serve.pop(guard, None)
    serve |= {
        "address": "127.0.0.1:0",
        "device": "cpu",
        "foreign_images": "flag",
        "store_images": "never",
        "database": f"sqlite:{folder / 'predictions.db'}",
        "folder": str(folder / "serve"),
        "image_store": str(folder / "images"),
        "limits": {**(serve.get("limits") or {}), "requests_per_minute": 0},
    }
    paths = {**(config.get("paths") or {}), "model": "model"}
    written: str = yaml.safe_dump({**config, "paths": paths, "serve": serve}, sort_keys=False)
    return written


@dataclass(frozen=True)
class Ours:
    """The programs, the project whose model is served, and the folder that they run in."""

    serve: Path
    project: Path
    folder: Path
    logs: Path

    def config(self) -> dict[str, Any]:
        """The project's config.yaml."""
        path = self.project / "config.yaml"
        try:
            config: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
        except OSError as error:
            raise NotMeasured(f"{path}: {error.strerror}") from None
        return config

    @property
    def model(self) -> Path:
        paths: dict[str, str] = self.config().get("paths") or {}
        return (self.project / paths.get("model", "model")).resolve()

    def description(self) -> dict[str, Any]:
        """The content of model.json; the peer has the same architecture."""
        try:
            description: dict[str, Any] = json.loads((self.model / "model.json").read_text())
        except OSError as error:
            raise NotMeasured(f"{self.model / 'model.json'}: {error.strerror}; make repro makes one") from None
        return description

    def model_bytes(self) -> int:
        """Size of its weights, and of the features for detecting foreign images."""
        return sum(path.stat().st_size for path in self.model.glob("*.safetensors"))

    def queue_requests(self) -> int:
        """Requests that the server accepts at a time."""
        # 24 if it is not given, as in crates/base/config.
        return int((self.config().get("serve") or {}).get("queue_requests", 24))

    def make_folder(self) -> None:
        """Creates the folder again: its own config, links to the model and to the outputs of training."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "config.yaml").write_text(temporary_config(self.config(), self.folder))
        if (params := self.project / "params.yaml").is_file():
            shutil.copy(params, self.folder)
        (self.folder / "artifacts").symlink_to((self.project / "artifacts").resolve())
        self.serve_from(self.model)

    def serve_from(self, model: Path) -> None:
        """Puts another folder in place of the model's, in one step."""
        link = self.folder / "model.new"
        link.symlink_to(model)
        link.replace(self.folder / "model")

    @contextmanager
    def start(self, log: str) -> Iterator[Serving]:
        """A listening server in a fresh folder."""
        self.make_folder()
        with serving([self.serve], self.folder, self.logs / f"{log}.log", START_S) as server:
            yield server


async def ready_after_s(server: Serving) -> float:
    """Seconds from before the process is started until /readyz answers 200."""
    connection = Connection(server.address)
    message = request(server.address, "GET", "/readyz")
    try:
        while time.perf_counter() < server.started_s + START_S:
            try:
                if (await connection.ask(message)).status == 200:
                    return time.perf_counter() - server.started_s
            except Lost:
                server.check_alive()
            # Nothing else runs, and the loop's own timer is less precise.
            time.sleep(READY_POLL_S)  # noqa: ASYNC251
    finally:
        connection.close()
    raise NotMeasured(f"it was not ready within {START_S:.0f} s")
