"""A real MLflow server, and small models that the real programs make.

Run with: .venv-reference/bin/python -m pytest tests/registry
HOUNSFIELD_PROGRAMS is a folder of programs built already.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import mlflow
import pytest

from project import Project, copied

PROJECT = Path(__file__).resolve().parents[2]
STARTED_IN_SECONDS = 120


@pytest.fixture(scope="session")
def programs():
    """The folder with the programs, built again if their sources changed."""
    if folder := os.environ.get("HOUNSFIELD_PROGRAMS"):
        return Path(folder).resolve()
    subprocess.run([PROJECT / "scripts" / "stage", "--build"], check=True)
    return PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def server(server_folder):
    """The address of an `mlflow server` with SQLite and its artifacts in a temporary folder."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (server_folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [
                PROJECT / ".venv-reference/bin/mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
                "--workers", "1", "--backend-store-uri", f"sqlite:///{server_folder}/mlflow.db",
                "--artifacts-destination", server_folder / "artifacts",
            ],
            cwd=server_folder,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(process, f"{address}/health", server_folder / "log")
        mlflow.set_tracking_uri(address)
        # MLflow's client does not remove its downloads.
        downloads = server_folder / "downloads"
        downloads.mkdir()
        tempfile.tempdir = str(downloads)
        yield address
    finally:
        tempfile.tempdir = None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(process, address, log):
    deadline = time.monotonic() + STARTED_IN_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)


@pytest.fixture(scope="session")
def client(server):
    """MLflow's own client."""
    return mlflow.MlflowClient(server)


@pytest.fixture(scope="session")
def data(programs, server, tmp_path_factory):
    """The sample set, ingested and validated once for all models."""
    folder = tmp_path_factory.mktemp("data")
    project = Project(programs, folder, server, folder)
    for program in ["ingest", "validate"]:
        project.run(program)
    return folder


@pytest.fixture(scope="session")
def good_model(programs, server, data, tmp_path_factory):
    """A fully trained model."""
    return Project(programs, tmp_path_factory.mktemp("good"), server, data).make_model()


@pytest.fixture(scope="session")
def weak_model(programs, server, data, tmp_path_factory):
    """A model that was trained on permuted labels."""
    folder = tmp_path_factory.mktemp("weak")
    return Project(programs, folder, server, data, permute_labels=True).make_model()


@pytest.fixture
def good(good_model, tmp_path):
    return copied(good_model, tmp_path / "good")


@pytest.fixture
def weak(weak_model, tmp_path):
    return copied(weak_model, tmp_path / "weak")
