"""The wheel, built from the programs and installed as a person would.

Run with: .venv-reference/bin/python -m pytest tests/wheel
HOUNSFIELD_PROGRAMS is a folder of programs built already. `scripts/setup wheel` brings what builds the wheel.
"""

import re
import subprocess
import sys

import pytest

from installed_wheel import PROJECT, UNFRIENDLY, Installed


def built(kind):
    """What scripts/wheel says it built."""
    done = subprocess.run([PROJECT / "scripts" / "wheel", kind], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return PROJECT / done.stdout.split(":")[0]


@pytest.fixture(scope="session")
def wheel():
    return built("wheel")


@pytest.fixture(scope="session")
def tarball():
    return built("tarball")


@pytest.fixture(scope="session")
def version():
    """The one place that it stands in."""
    text = (PROJECT / "Cargo.toml").read_text(encoding="utf-8")
    return re.search(r'^\[workspace\.package\]\nversion = "(.*)"$', text, re.MULTILINE)[1]


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """The wheel with the pinned DVC, and without libtorch."""
    installed = Installed(tmp_path_factory.mktemp("installed") / UNFRIENDLY)
    subprocess.run([sys.executable, "-m", "venv", installed.venv], check=True)
    options = ["--quiet", "--no-deps", "--disable-pip-version-check"]
    for what in (["-r", PROJECT / "requirements.txt"], [wheel]):
        subprocess.run([installed.venv / "bin" / "pip", "install", *options, *what], check=True)
    return installed


@pytest.fixture
def with_torch(installed):
    installed.link_torch()
    yield installed
    installed.unlink_torch()
