"""A small model that the real stages make, for containers to serve."""

import os
import subprocess
from functools import cache
from pathlib import Path

import yaml

from built_programs import programs

PROJECT = Path(__file__).resolve().parents[2]
STAGES = ["ingest", "validate", "prepare-base", "train", "select", "calibrate"]


def make_study(folder):
    """Runs the pipeline on a small sample; the folder holds the model and its test images afterwards. To serve a
    model, nothing needs its scores."""
    params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    params["ingest"]["sample"]["images"] = 120
    params["prepare_base"]["image_size"] = 32
    params["train"]["solve"] |= {"folds": 2, "cuts": [["block4_pool"]]}
    params["evaluate"] |= {"bootstrap_resamples": 100, "control_refits": 0, "probes": False, "explanations": 0}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    config = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    # The first version is the champion, whatever it is worth.
    config["promotion"] = {"minimum": 0.0, "baselines": "warn"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    for stage in STAGES:
        run(folder, stage)
    return folder


def run(folder, program, *arguments, code=0, **variables):
    """Runs a program in the folder of a study."""
    done = subprocess.run(
        [programs() / program, *arguments],
        cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{program} ended with {done.returncode}:\n{done.stdout}{done.stderr}"


@cache
def study_below(folder):
    """One study for all tests of a session, below its temporary folder. No test changes it."""
    study = folder / "container-study"
    study.mkdir()
    return make_study(study)


def scan_of(study):
    """A scan that the model was not trained on."""
    return min((study / "artifacts/data_ingestion/test/normal").iterdir()).read_bytes()
