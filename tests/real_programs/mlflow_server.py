"""A real MLflow server on a free port."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STARTED_IN_SECONDS = 120


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


class MlflowServer:
    """`mlflow server` with SQLite, and its artifacts in a folder. It keeps its address when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    ROOT / ".venv-reference/bin/mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
                    "--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                    "--artifacts-destination", self.folder / "artifacts",
                ],
                cwd=self.folder,
                env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + STARTED_IN_SECONDS
        while True:
            log_text = (self.folder / "log").read_text(encoding="utf-8")
            assert self.process.poll() is None, log_text
            assert time.monotonic() < deadline, log_text
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Ends it with everything that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
