"""A real MLflow server whose registry has a champion."""

import contextlib
import os
import shutil
import subprocess

import yaml

from built_programs import programs
from mlflow_server import MlflowServer


@contextlib.contextmanager
def mlflow(folder):
    """The address of an `mlflow server` that keeps everything in this folder."""
    server = MlflowServer(folder)
    try:
        yield server.address
    finally:
        server.stop()


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
