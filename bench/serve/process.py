"""A server's process: starts it, waits for it, measures it, ends it."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from measure import NotMeasured
from serve.http1 import Address

# A server prints this, followed by its URL, when it can be reached.
LISTENING = "listening on "
POLL_S = 0.002
# Time after SIGTERM; the server lets running requests finish for 30 s.
END_S = 45.0


def resident_bytes(pid: int) -> int:
    """Memory of a process in RAM, or 0 after it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, or 0 after it has ended."""
    try:
        # After the name, which may contain spaces: user and system time are fields 14 and 15.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


class ResidentPeak:
    """The most RAM of a process during a `with` block, measured 50 times a second."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "ResidentPeak":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, resident_bytes(self._pid))
            if self._done.wait(0.02):
                return


class Serving:
    """A listening server."""

    def __init__(self, process: subprocess.Popen[bytes], address: Address, started_s: float) -> None:
        self._process = process
        self.address = address
        # By time.perf_counter, before the process was started.
        self.started_s = started_s

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        return resident_bytes(self.pid)

    @property
    def open_files(self) -> int:
        """Descriptors that it has open; each accepted connection is one."""
        try:
            return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        except OSError:
            return 0

    @property
    def cpu_s(self) -> float:
        return cpu_s(self.pid)

    def check_alive(self) -> None:
        """Raises NotMeasured if the process has ended by itself."""
        if self._process.poll() is not None:
            raise NotMeasured(f"the server ended by itself, with exit code {self._process.returncode}")


@contextmanager
def serving(command: Sequence[str | Path], cwd: Path, log: Path, timeout_s: float) -> Iterator[Serving]:
    """Starts a server that prints its address, and ends it with the block."""
    words = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    printed = log.with_suffix(".out")
    # The user's own database or tracking server must not be used by a benchmark.
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "MLFLOW_TRACKING_URI", "HOUNSFIELD_LOG"}
    }
    with log.open("wb") as errors, printed.open("wb") as output:
        started_s = time.perf_counter()
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                stdout=output,
                stderr=errors,
                env=clean | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        except OSError as error:
            raise NotMeasured(f"{words[0]}: {error.strerror}") from None
    try:
        yield Serving(process, wait_for_address(process, printed, log, started_s + timeout_s), started_s)
    finally:
        end(process)


def wait_for_address(process: subprocess.Popen[bytes], printed: Path, log: Path, until_s: float) -> Address:
    while time.perf_counter() < until_s:
        has_ended = process.poll() is not None
        for line in printed.read_text().splitlines(keepends=True):
            if line.startswith(LISTENING) and line.endswith("\n"):
                return Address.of(line.removeprefix(LISTENING))
        if has_ended:
            reasons = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
            reason = reasons[-1].strip() if reasons else "it said nothing"
            raise NotMeasured(f"exit code {process.returncode}: {reason[:200]}")
        time.sleep(POLL_S)
    raise NotMeasured(f"it did not listen in time; {log} says more")


def end(process: subprocess.Popen[bytes]) -> None:
    """Sends SIGTERM, then SIGKILL, to this process only."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
