"""Real servers that the scripts of deploy/ci are run against, each on a free port."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = PROJECT / "deploy/ci"
STARTED_IN_SECONDS = 120
# `tests` with the password `secret`, as htpasswd -B writes it.
LOGIN = "tests:$2y$04$FGf49cZnV.Sg1bf/t9e9IunrSGQKkR1KCQo.6OXgE2w.1mIfAoZ6W\n"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def found(program, variable, package):
    """A program of the machine; without it the test is skipped, or fails where the variable is set."""
    if path := shutil.which(program):
        return path
    assert not os.environ.get(variable), f"{program} is missing: apt-get install {package}"
    return pytest.skip(f"{program} is missing: apt-get install {package}")


def script(name, *arguments, cwd=None, code=0, **environment):
    """Runs a script of deploy/ci; what it printed and what it logged."""
    # Python with the packages that tests have.
    interpreter = [sys.executable] if str(name).endswith(".py") else []
    done = subprocess.run(
        [str(part) for part in (*interpreter, SCRIPTS / name, *arguments)],
        cwd=cwd, env=os.environ | {key: str(value) for key, value in environment.items()},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{name} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


@contextlib.contextmanager
def started(command, folder, is_up, **environment):
    """Runs a server until the block is left, which begins when `is_up()`."""
    log = folder / "log"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=os.environ | environment, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + STARTED_IN_SECONDS
        while not is_up():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        # Some have children, which are of the same group.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def answers(url):
    """Whether a server answers, if only with a refusal."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def registry(folder, *, with_login=False):
    """Docker's registry, with its images in the folder; its host and port."""
    program = found("docker-registry", "HOUNSFIELD_REQUIRE_REGISTRY", "docker-registry")
    found("skopeo", "HOUNSFIELD_REQUIRE_REGISTRY", "skopeo")
    folder.mkdir(parents=True)
    host = f"127.0.0.1:{free_port()}"
    login = ""
    if with_login:
        (folder / "htpasswd").write_text(LOGIN, encoding="utf-8")
        login = f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/images}}}}\nhttp: {{addr: '{host}'}}\n{login}",
        encoding="utf-8",
    )
    with started([program, "serve", folder / "config.yml"], folder, lambda: answers(f"http://{host}/v2/")):
        yield host


@contextlib.contextmanager
def mlflow(folder):
    """An MLflow server with SQLite; its address."""
    address = f"http://127.0.0.1:{free_port()}"
    command = [
        Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1],
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", folder / "artifacts",
    ]  # fmt: skip
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with started(command, folder, lambda: answers(f"{address}/health"), **settings):
        yield address
