"""Whole processes, timed: wall seconds, the peak of anonymous memory, the figures they print."""

import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SAMPLE_EVERY_S = 0.02


class NotMeasured(Exception):
    """The reason for a missing figure; it is printed in the table."""


@dataclass(frozen=True)
class Run:
    """A process that ended successfully."""

    wall_s: float
    peak_anonymous_bytes: int
    output: str = field(repr=False)
    # Its log, on standard error.
    said: str = field(repr=False)
    figures: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """For results.json."""
        raw = asdict(self)
        del raw["output"], raw["said"]
        return raw


def anonymous_bytes(pid: int) -> int:
    """Anonymous memory of a process, or 0 after it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class MemoryWatch:
    """Records a process's anonymous memory until it is asked to stop."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_EVERY_S):
            self.peak = max(self.peak, anonymous_bytes(self._pid))

    def stop(self) -> int:
        self._done.set()
        self._thread.join()
        return self.peak


def last_json(output: str) -> dict[str, Any]:
    """The figures on the last line of a program's output, or nothing if there are none."""
    for line in reversed(output.strip().splitlines()):
        try:
            figures = json.loads(line)
        except ValueError:
            return {}
        return figures if isinstance(figures, dict) else {}
    return {}


def run(
    command: list[str | Path], cwd: Path, log: Path, timeout_s: float, environment: dict[str, str] | None = None
) -> Run:
    """Runs a command to its end; raises NotMeasured when it is missing, fails, or takes too long."""
    words = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    # Each user may track runs; a benchmark must not wait for a tracking server.
    clean = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    clean |= {"DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1", **(environment or {})}
    with log.open("w+") as errors:
        started = time.perf_counter()
        try:
            # Its own session, so that everything the command started ends with it.
            process = subprocess.Popen(
                words, cwd=cwd, env=clean, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
        except OSError as error:
            raise NotMeasured(f"{words[0]}: {error.strerror}") from None
        watch = MemoryWatch(process.pid)
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except BaseException as stopped:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(stopped, subprocess.TimeoutExpired):
                raise NotMeasured(f"took more than {timeout_s:.0f} s") from None
            raise
        finally:
            peak = watch.stop()
        wall_s = time.perf_counter() - started
        errors.seek(0)
        said = errors.read()
    log.write_text(f"$ {' '.join(words)}\n{said}{output}")
    if process.returncode != 0:
        reasons = [line for line in (said + output).splitlines() if line.strip()]
        reason = reasons[-1].strip() if reasons else "it said nothing"
        raise NotMeasured(f"exit code {process.returncode}: {reason[:160]}")
    return Run(wall_s, peak, output, said, last_json(output))
