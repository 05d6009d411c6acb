"""Small models, made by the real programs, for Python to check.

Run with: .venv-reference/bin/python -m pytest tests/reference
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = ["ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"]

CLASSES = ["adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma"]

FINDINGS = [
    "exact_copies",
    "near_copies",
    "leaks",
    "label_conflicts",
    "blank",
    "outliers",
    "burnt_in_marks",
    "same_scan",
    "unreadable",
    "class_imbalance",
    "shortcuts",
]

# Every head, each with its own size: 32 pixels leave one cell of the last block, 70 are not a
# multiple of 32, so that a pooling drops a row somewhere. A head without standardisation sees small
# numbers and starts at zero: it needs larger steps to say anything after a few epochs.
HEADS = {
    "flatten": {"kind": "flatten", "hidden_units": 0, "image_size": 64, "rate": 0.005},
    "flatten_hidden": {"kind": "flatten", "hidden_units": 24, "image_size": 32, "rate": 0.001},
    "global_pool": {"kind": "global_pool", "hidden_units": 0, "image_size": 70, "rate": 0.005},
    "global_pool_hidden": {"kind": "global_pool", "hidden_units": 16, "image_size": 32, "rate": 0.005},
    "linear": {"kind": "linear", "hidden_units": 0, "image_size": 70},
    "kernel": {"kind": "kernel", "hidden_units": 0, "image_size": 64},
}


def training(head):
    """What `train` needs for a head: what it chooses from, or how it goes down the gradient."""
    if "rate" in head:
        return {
            "solve": None,
            "descent": {
                "epochs": 4,
                "batch_size": 8,
                "optimizer": "adam",
                "learning_rate": head["rate"],
            },
        }
    widths = [0.5, 2.0] if head["kind"] == "kernel" else []
    cuts = [["block4_pool"], ["block1_pool", "block3_pool", "block5_pool"]]
    return {
        "solve": {"folds": 2, "strengths": [0.3, 3.0], "widths": widths, "cuts": cuts},
        "descent": None,
    }


def params(head):
    """params.yaml for a model that is trained in seconds. JSON is YAML."""
    return {
        "ingest": {
            "seed": 1,
            "split": {"train": 0.5, "valid": 0.2, "test": 0.3},
            "on_unreadable": "fail",
            "sample": {"images": 40},
        },
        "validation": {
            "seed": 1,
            "resplit": False,
            "policy": dict.fromkeys(FINDINGS, "warn"),
        },
        "prepare_base": {
            "image_size": head["image_size"],
            "weights": "random",
            "seed": 1,
            "freeze": "all",
            "head": {
                "kind": head["kind"],
                "hidden_units": head["hidden_units"],
                "dropout": 0.25 if head["hidden_units"] else 0.0,
            },
        },
        "train": {
            "seed": 1,
            **training(head),
            "class_weights": "none",
            "precision": "fp32",
            "device": "cpu",
            "normalisation": "imagenet",
            "permute_labels": False,
        },
        "select": {
            "checkpoint_pattern": r"model_e\d+_acc\d\.\d+_vacc(\d\.\d+)\.safetensors",
        },
        "calibrate": {"device": "cpu", "seed": 1, "out_of_fold_below": 0, "folds": 3},
        "evaluate": {
            "device": "cpu",
            "seed": 1,
            "bootstrap_resamples": 100,
            "control_refits": 0,
            "probes": False,
            "explanations": 0,
        },
    }


class Pipeline:
    """A folder in which the stages run, with a configuration of its own."""

    def __init__(self, programs, folder, head, data):
        self.programs = programs
        self.folder = folder
        config = {
            "data": {
                "source": {"kind": "sample"},
                "classes": {name: [name] for name in CLASSES},
            },
            "paths": {
                "data_ingestion": str(data / "data_ingestion"),
                "data_validation": str(data / "data_validation"),
            },
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        (folder / "params.yaml").write_text(json.dumps(params(head)), encoding="utf-8")

    def run(self, program, *arguments):
        command = [self.programs / program, *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{program} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def programs():
    """The folder that holds the stages: HOUNSFIELD_PROGRAMS, or those of `dvc repro`, built anew
    if anything they are made of changed."""
    if folder := os.environ.get("HOUNSFIELD_PROGRAMS"):
        return Path(folder).resolve()
    subprocess.run([PROJECT / "scripts" / "stage", "--build"], check=True)
    return PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"


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
    """The crate `metrics` as a function: what its example program makes of the keywords."""
    command = ["cargo", "build", "--release", "--locked", "--package", "metrics", "--example", "score"]
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
        # JSON has no NaN; a program that prints one anyway is not read.
        return json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"printed {name}"))

    return run


@pytest.fixture(scope="session")
def fit_program():
    """An example program of the crate `fit` by its name, built."""
    command = ["cargo", "build", "--release", "--locked", "--package", "solvers", "--examples"]
    subprocess.run(command, cwd=PROJECT, check=True)
    folder = PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples"
    return lambda name: folder / name
