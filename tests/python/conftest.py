"""The Python package on a small study that the real programs make.

Run with: PYTHONPATH=python/src .venv-reference/bin/python -m pytest tests/python
HOUNSFIELD_PROGRAMS is a folder of programs built already.
"""

import shutil
import subprocess

import pytest

import hounsfield
from built_programs import programs
from small_study import CHANGES, PROJECT, change, command, commit


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory):
    """The programs, DVC and the command `hounsfield` are found, as where the wheel is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOUNSFIELD_PROGRAMS", str(programs()))
        patch.setenv("PYTHONPATH", str(PROJECT / "python" / "src"))
        patch.setenv("PATH", command(tmp_path_factory.mktemp("command") / "bin"))
        for name in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{name}_NAME", "Test")
            patch.setenv(f"GIT_{name}_EMAIL", "test@localhost")
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A study that was run once. No test changes it."""
    folder = tmp_path_factory.mktemp("studies") / "study"
    command = ["hounsfield", "init", str(folder), "--from", "sample", "--with", "notebooks", "--yes"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    change(folder, CHANGES)
    study = hounsfield.Study(folder)
    assert "evaluate" in study.run()
    commit(folder)
    return study


@pytest.fixture
def copy(made, tmp_path):
    """A copy of the study that a test may change."""
    folder = tmp_path / "study"
    shutil.copytree(made.path, folder, symlinks=True)
    return hounsfield.Study(folder)
