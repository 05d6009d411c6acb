"""Small models, made by the real programs, for Python to check.

Run with: .venv-reference/bin/python -m pytest tests/reference
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from built_programs import stage_programs
from small_models import HEADS, PROGRAMS
from small_pipeline import Pipeline

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def programs():
    """The folder with the programs."""
    return stage_programs()


@pytest.fixture(scope="session")
def data(programs, tmp_path_factory):
    """The sample set, ingested and validated once for all models."""
    folder = tmp_path_factory.mktemp("data")
    artifacts = folder / "artifacts"
    pipeline = Pipeline(programs, folder, HEADS["flatten"], artifacts)
    for program in PROGRAMS[:2]:
        pipeline.run(program)
    return artifacts


@pytest.fixture(scope="session", params=HEADS, ids=list(HEADS))
def pipeline(request, programs, data, tmp_path_factory):
    """A trained, selected, calibrated and evaluated model with each kind of head in turn."""
    folder = tmp_path_factory.mktemp(request.param)
    pipeline = Pipeline(programs, folder, HEADS[request.param], data)
    for program in PROGRAMS[2:]:
        pipeline.run(program)
    return pipeline


@pytest.fixture(scope="session")
def evaluation(pipeline):
    """The folder that `evaluate` wrote."""
    return pipeline.folder / "artifacts" / "evaluation"


@pytest.fixture(scope="session")
def score():
    """The crate `metrics` as a function: returns the output of its example program for the keywords."""
    command = ["cargo", "build", "--release", "--locked", "--workspace", "--example", "score"]
    subprocess.run(command, cwd=PROJECT, check=True)
    program = PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples/score"

    def run(threads=None, **values):
        environment = os.environ | ({"RAYON_NUM_THREADS": str(threads)} if threads else {})
        done = subprocess.run(
            [program],
            input=json.dumps(values, default=lambda array: array.tolist(), allow_nan=False),
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 0, f"score ended with {done.returncode}:\n{done.stderr}"
        # JSON has no NaN; the output of a program that prints one is rejected.
        return json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"printed {name}"))

    return run


@pytest.fixture(scope="session")
def base_program():
    """The example program of the crate `classifier` that shows what a base computes, built."""
    command = ["cargo", "build", "--release", "--locked", "--workspace", "--example", "base"]
    subprocess.run(command, cwd=PROJECT, check=True)
    return PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples/base"


@pytest.fixture(scope="session")
def fit_program():
    """An example program of the crate `fit` by its name, built."""
    command = ["cargo", "build", "--release", "--locked", "--workspace", "--example", "head", "--example", "search"]
    subprocess.run(command, cwd=PROJECT, check=True)
    folder = PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples"
    return lambda name: folder / name
