"""A real MLflow server, and small models that the real programs make.

Run with: .venv-reference/bin/python -m pytest tests/registry
HOUNSFIELD_PROGRAMS is a folder of programs built already.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import mlflow
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
CLASSES = ["adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma"]
STARTED_IN_SECONDS = 120


class Project:
    """A folder in which the programs run, with a configuration of its own."""

    def __init__(self, programs, folder, server, data, classes=None, promotion=None, **train):
        self.programs, self.folder, self.server = programs, folder, server
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "data": {
                "source": {"kind": "sample"},
                "classes": classes or {name: [name] for name in CLASSES},
            },
            "paths": {
                "data_ingestion": str(data / "data_ingestion"),
                "data_validation": str(data / "data_validation"),
            },
            "promotion": {"minimum": 0.0, **(promotion or {})},
        }
        params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
        params["ingest"] |= {
            "sample": {"images": 160},
            "split": {"train": 0.5, "valid": 0.1, "test": 0.4},
        }
        params["prepare_base"] |= {"image_size": 64}
        params["train"] |= {"epochs": 8, "learning_rate": 0.001} | train
        params["calibrate"] |= {"out_of_fold_below": 0}
        params["evaluate"] |= {"bootstrap_resamples": 100, "control_refits": 0}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")

    def start(self, program, *arguments, server=None):
        """Starts a program; registration speaks to the server."""
        environment = os.environ | {
            "MLFLOW_TRACKING_URI": server or self.server,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        }
        if program not in ("register", "select"):
            del environment["MLFLOW_TRACKING_URI"]
        return subprocess.Popen(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program, *arguments, code=0, server=None):
        """Runs a program to its end; what it prints, and what it logs."""
        process = self.start(program, *arguments, server=server)
        output, log = process.communicate()
        assert process.returncode == code, f"{program} ended with {process.returncode}:\n{output}\n{log}"
        return output, log

    @property
    def model(self):
        return self.folder / "model"

    @property
    def evaluation(self):
        return self.folder / "artifacts" / "evaluation"

    def make_model(self):
        for program in ["prepare-base", "train", "select", "calibrate", "evaluate"]:
            self.run(program)
        return self


@pytest.fixture(scope="session")
def programs():
    """The folder that holds the programs, built anew if anything they are made of changed."""
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
    with open(server_folder / "log", "w", encoding="utf-8") as log:
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
        # What MLflow's client downloads, it leaves behind.
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
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
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
    """A model that has learnt what there is to learn."""
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


def copied(project, folder):
    """A copy that a test may change, of what registration reads. Weights are the same file: a test
    may remove them, and nothing writes into them."""

    def link_weights(source, target):
        return os.link(source, target) if source.endswith(".safetensors") else shutil.copy2(source, target)

    unused = shutil.ignore_patterns("base_model", "features", "model_training", "training_work")
    shutil.copytree(project.folder, folder, ignore=unused, copy_function=link_weights)
    copy = Project.__new__(Project)
    copy.programs, copy.folder, copy.server = project.programs, folder, project.server
    return copy
