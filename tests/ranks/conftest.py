"""Trainings by several processes, with a real mpirun.

Run with: .venv-reference/bin/python -m pytest tests/ranks
HOUNSFIELD_PROGRAMS is a folder of programs built already, HOUNSFIELD_TRAIN_MPI a train-mpi.
"""

import pytest

import mpi_study
from mpi_programs import require, with_the_stages


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """A folder with the stage programs and, beside them, train-mpi."""
    require()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_LIBRARY_PATH", str(mpi_study.LIBTORCH))
        yield with_the_stages(tmp_path_factory.mktemp("programs") / "bin")


@pytest.fixture(scope="session")
def made(tmp_path_factory, programs):
    """A study with images and a base. No test changes it."""
    return mpi_study.made(tmp_path_factory.mktemp("made") / "study", programs)


@pytest.fixture
def study(made, tmp_path):
    """A copy that a test may change."""
    return made.copied(tmp_path / "study")
