"""What the tests of deploy/monitoring and deploy/logs share: a plugin of pytest."""

import subprocess
from pathlib import Path

import pytest

from monitoring_server import make_model


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """A folder in which the pipeline ran. Servers take copies of it."""
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def node_modules():
    """The packages pinned by package-lock.json."""
    folder = Path(__file__).resolve().parent / "node"
    if not (folder / "node_modules/.package-lock.json").exists():
        subprocess.run(["npm", "ci", "--no-fund", "--no-audit"], cwd=folder, check=True)
    return folder / "node_modules"
