"""`train-mpi`, built for the MPI library of this machine, and Open MPI's `mpirun`."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from built_programs import PROJECT, stage_programs

PACKAGES = "openmpi-bin libopenmpi-dev libclang-dev"
REQUIREMENT = "HOUNSFIELD_REQUIRE_MPI"
# One thread for each process: threads are a part of what a training is known by.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    # Tests may run as root, and with more processes than processors.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none"]


def require():
    """Skips the test where MPI is not installed, unless the machine must have it."""
    if shutil.which("mpirun") and shutil.which("mpicc"):
        return
    message = f"MPI is missing: apt-get install {PACKAGES}"
    if os.environ.get(REQUIREMENT):
        pytest.fail(message)
    pytest.skip(message)


@cache
def train_mpi() -> Path:
    """The program, built again if its sources changed."""
    if program := os.environ.get("HOUNSFIELD_TRAIN_MPI"):
        return Path(program).resolve()
    command = ["cargo", "build", "--release", "--locked", "--package", "train", "--features", "mpi"]
    subprocess.run([*command, "--bin", "train-mpi"], cwd=PROJECT, check=True)
    return PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "train-mpi"


def with_the_stages(folder: Path) -> Path:
    """Puts the stage programs into a folder and, beside them, `train-mpi`."""
    folder.mkdir(parents=True)
    for name in ["ingest", "validate", "prepare-base", "train"]:
        shutil.copy(stage_programs() / name, folder / name)
    shutil.copy(train_mpi(), folder / "train-mpi")
    return folder
