"""The programs of this package, and the surroundings that they run in."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
from collections.abc import Collection
from pathlib import Path

from .errors import NotThere, ToolFailed

# Some lines of a log say more than its last one, and a thousand say less.
LINES_SHOWN = 20


def programs() -> Path:
    """The folder of the programs: HOUNSFIELD_PROGRAMS, or the one in this package."""
    return Path(os.environ.get("HOUNSFIELD_PROGRAMS") or Path(__file__).parent / "programs")


def tool() -> Path:
    """The program `hounsfield`, which finds libtorch and starts the others."""
    path = programs() / "hounsfield"
    if not path.is_file():
        raise NotThere(
            f"there is no program {path}; install the wheel of Hounsfield, or name a folder of built "
            "programs with HOUNSFIELD_PROGRAMS"
        )
    return path


def torch_folder() -> Path | None:
    """Where the package torch is installed. It is not imported, which would take seconds."""
    try:
        found = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return None
    return Path(found.origin).parent if found and found.origin else None


def environment() -> dict[str, str]:
    """The environment of the programs. It names this Python and its torch, and `PATH` has its scripts,
    such as `dvc`, even where the virtual environment is not activated."""
    values = dict(os.environ)
    values.setdefault("HOUNSFIELD_PYTHON", sys.executable)
    if folder := torch_folder():
        values.setdefault("HOUNSFIELD_TORCH", str(folder))
    scripts = sysconfig.get_path("scripts")
    path = values.get("PATH") or os.defpath
    if scripts not in path.split(os.pathsep):
        values["PATH"] = os.pathsep.join([scripts, path])
    return values


def run(program: str, *arguments: str, cwd: Path | None = None, expected: Collection[int] = (0,)) -> str:
    """Runs a program to its end, and returns what it wrote to standard output.

    Raises `ToolFailed` with the program's own words where it ends with another code than expected.
    """
    done = subprocess.run(
        [str(tool()), program, *arguments],
        cwd=cwd,
        env=environment() | {"NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode not in expected:
        raise ToolFailed(program, done.returncode, words(program, done.stderr.splitlines()))
    return done.stdout


def words(program: str, log: list[str]) -> str:
    """What a program said last: the line of its error, or the end of its log."""
    beginnings = (f"{program}: ", "hounsfield: ", "error: ")
    for place in range(len(log) - 1, -1, -1):
        if log[place].startswith(beginnings):
            return "\n".join(log[place:][:LINES_SHOWN]).strip()
    return "\n".join(log[-LINES_SHOWN:]).strip()
