"""The machine of the figures, without which they have no meaning."""

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

# Instruction sets that affect how fast a matrix product is.
TOLD_FLAGS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "bf16",
    "sve",
)


def said(command: list[str], cwd: Path | None = None) -> str:
    """The first line that a command prints, or nothing if it cannot be run."""
    try:
        output = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return output.stdout.strip().partition("\n")[0]


def processor() -> dict[str, Any]:
    facts: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return {
        "name": facts.get("model name", platform.machine()),
        "family_model_stepping": [facts.get(key) for key in ("cpu family", "model", "stepping")],
        "cores": threads(),
        "flags": [flag for flag in TOLD_FLAGS if flag in flags],
    }


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def describe(root: Path) -> dict[str, Any]:
    return {
        "processor": processor(),
        "memory_bytes": memory_bytes(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "rustc": said(["rustc", "--version"]),
        "gpu": said(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]),
        "commit": said(["git", "describe", "--always", "--dirty", "--abbrev=12"], root),
        "load_at_start": os.getloadavg(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
