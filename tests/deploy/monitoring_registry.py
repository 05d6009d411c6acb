"""A real MLflow server whose registry has a champion."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from monitoring_programs import answers, free_port, wait_until
from monitoring_server import programs


@contextlib.contextmanager
def mlflow(folder):
    """The address of an `mlflow server` that keeps everything in this folder."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    log = folder / "log"
    command = [
        Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", folder / "artifacts",
    ]  # fmt: skip
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        wait_until(lambda: answers(f"{address}/health"), lambda: f"mlflow did not start:\n{log.read_text()}", 120)
        yield address
    finally:
        # Its workers are of the same session, and of this test alone.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def register(made, folder, address):
    """Makes the model the registry's champion."""
    config = yaml.safe_load((made / "config.yaml").read_text(encoding="utf-8"))
    config["promotion"] = {"minimum": 0.0}
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    shutil.copy(made / "params.yaml", folder)
    for name in ["model", "artifacts"]:
        shutil.copytree(made / name, folder / name)
    environment = os.environ | {"MLFLOW_TRACKING_URI": address}
    done = subprocess.run(
        [programs() / "register"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"register ended with {done.returncode}:\n{done.stdout}{done.stderr}"
