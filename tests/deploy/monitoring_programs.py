"""Real programs, each on a free port of this machine, for the tests of deploy/monitoring and deploy/logs."""

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
# sbin is not in everybody's PATH.
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def installed(name, package, requirement):
    """A program of the system, which the test needs."""
    return shutil.which(name, path=PATH) or missing(name, package, requirement)


def missing(name, package, requirement):
    """Skips the test that needs a program, or fails if it is required."""
    reason = f"{name} is missing: apt-get install {package}"
    assert not os.environ.get(requirement), reason
    pytest.skip(reason)


def wait_until(reached, reason, seconds=PATIENCE_SECONDS):
    """Waits until `reached` returns something true, and returns it; fails with `reason`."""
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, reason() if callable(reason) else reason
        time.sleep(0.1)
    return value


def answers(address):
    """Whether an address answers with 200."""
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def running(command, log, ready, **settings):
    """Runs a program until the test is done, which begins when `ready` is true."""
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen([str(part) for part in command], stdout=file, stderr=file, **settings)
    try:

        def started():
            assert process.poll() is None, f"{command[0]} ended:\n{log.read_text()}"
            return ready()

        wait_until(started, lambda: f"{command[0]} did not start:\n{log.read_text()}")
        yield process
    finally:
        process.terminate()
        process.wait()
