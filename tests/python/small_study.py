"""A study that the real programs make in less than a minute."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]

# Small enough for a test.
CHANGES = {
    ("ingest", "sample", "images"): 200,
    ("prepare_base", "image_size"): 64,
    ("train", "solve", "folds"): 2,
    ("train", "precision"): "fp32",
    ("evaluate", "bootstrap_resamples"): 200,
    ("evaluate", "control_refits"): 1,
    ("evaluate", "explanations"): 8,
}
AUTHOR = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]


def change(study, changes):
    """Changes keys of params.yaml, which all have to be there."""
    path = study / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for (*keys, last), value in changes.items():
        part = params
        for key in keys:
            part = part[key]
        assert last in part, f"params.yaml has no {'.'.join((*keys, last))}"
        part[last] = value
    path.write_text(yaml.safe_dump(params), encoding="utf-8")


def commit(study):
    """As a person would after a first look."""
    subprocess.run(["git", "add", "--all"], cwd=study, check=True)
    subprocess.run(["git", *AUTHOR, "commit", "--quiet", "--message", "study"], cwd=study, check=True)


def command(folder):
    """Puts the command `hounsfield` of the source tree on PATH, for DVC to find."""
    folder.mkdir()
    launcher = folder / "hounsfield"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hounsfield "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    return os.pathsep.join([str(folder), str(PROJECT / ".venv" / "bin"), os.environ["PATH"]])
