"""A real MLflow server, and small models that the real programs make.

Run with: .venv-reference/bin/python -m pytest tests/registry
HOUNSFIELD_PROGRAMS is a folder of programs built already.
"""

import tempfile
from pathlib import Path

import mlflow
import pytest

import built_programs
from mlflow_server import MlflowServer
from project import Project, copied

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def programs():
    """The folder with the programs."""
    return built_programs.programs()


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def server(server_folder):
    """The address of an `mlflow server`."""
    server = MlflowServer(server_folder)
    try:
        mlflow.set_tracking_uri(server.address)
        # MLflow's client does not remove its downloads.
        downloads = server_folder / "downloads"
        downloads.mkdir()
        tempfile.tempdir = str(downloads)
        yield server.address
    finally:
        tempfile.tempdir = None
        server.stop()


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
