"""The project's own programs: those in HOUNSFIELD_PROGRAMS, or else built again if their sources changed."""

import os
import subprocess
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@cache
def stage_programs() -> Path:
    """The folder with the programs of the pipeline."""
    if folder := os.environ.get("HOUNSFIELD_PROGRAMS"):
        return Path(folder).resolve()
    subprocess.run([PROJECT / "scripts/stage", "--build"], check=True)
    return PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"


@cache
def programs() -> Path:
    """The same folder, with `serve` and `hounsfield` in it too."""
    folder = stage_programs()
    if not os.environ.get("HOUNSFIELD_PROGRAMS"):
        packages = ["--package", "serve", "--package", "hounsfield"]
        subprocess.run(["cargo", "build", "--release", "--locked", *packages], cwd=PROJECT, check=True)
    return folder
