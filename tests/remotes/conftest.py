"""Projects with a pipeline of two stages, and the DVC that make setup installs for them.

Run with: .venv-reference/bin/python -m pytest tests/remotes
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120

# Like the project's own: outputs with folders in them, and one that git keeps.
PIPELINE = """\
stages:
  ingest:
    cmd: echo ran >>runs.log && mkdir images && cp scans/*.png images && head -c 3000000 /dev/zero >images/large.png
    deps: [scans]
    outs: [images]
  train:
    cmd: echo ran >>runs.log && cat images/*.png >weights.bin && echo '{"accuracy":1}' >metrics.json
    deps: [images]
    outs: [weights.bin]
    metrics:
      - metrics.json:
          cache: false
"""


class Project:
    """A DVC project with the project's own make setup, and a shell in it."""

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment

    def shell(self, line, code=0):
        """Runs a line as a person types it; what it prints."""
        done = subprocess.run(
            ["bash", "-euc", line], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{line}:\n{done.stdout}"
        return done.stdout

    def copied(self, folder):
        """The same project at another place, whose .venv is the same."""
        shutil.copytree(self.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
        return Project(folder, self.environment).with_venv_of(self)

    def cloned(self, folder):
        """A colleague's clone."""
        self.shell(f"git add --all && git commit --quiet --allow-empty --message run && git clone --quiet . '{folder}'")
        return Project(folder, self.environment).with_venv_of(self)

    def with_venv_of(self, other):
        (self.folder / ".venv").symlink_to((other.folder / ".venv").resolve())
        return self

    def outputs(self):
        files = [*(self.folder / "images").rglob("*"), self.folder / "weights.bin"]
        return {file.relative_to(self.folder): file.read_bytes() for file in files if file.is_file()}

    def lose(self):
        """What a broken disk does to the cache and the outputs."""
        shutil.rmtree(self.folder / ".dvc/cache")
        shutil.rmtree(self.folder / "images")
        (self.folder / "weights.bin").unlink()

    def runs(self):
        log = self.folder / "runs.log"
        return len(log.read_text().splitlines()) if log.exists() else 0


def copy_environment(folder):
    """What make setup made for the project, at another place: without libtorch, which has no part in this, and
    without what DVC needs for remotes. Installing DVC anew would take longer than all the tests."""
    libtorch = shutil.ignore_patterns("torch", "torch-*", "nvidia", "nvidia_*", "triton")
    shutil.copytree(PROJECT / ".venv", folder, symlinks=True, ignore=libtorch)
    # Its programs name the Python beside them by its whole path.
    made_at = (folder / "bin/pip").read_text(encoding="utf-8").removeprefix("#!").split("/bin/python", 1)[0]
    for program in (folder / "bin").iterdir():
        if program.is_file() and not program.is_symlink():
            text = program.read_text(encoding="utf-8")
            program.write_text(text.replace(made_at, str(folder)), encoding="utf-8")
    for kind in folder.glob("made-from-remote-*"):
        kind.unlink()
    kinds = [f"dvc-{file.stem.removeprefix('requirements-remote-')}" for file in PROJECT.glob("requirements-remote-*")]
    subprocess.run([folder / "bin/python", "-m", "pip", "uninstall", "--quiet", "--yes", *kinds], check=True)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A project that has run once, whose .venv has DVC and serves no kind of remote yet."""
    folder = tmp_path_factory.mktemp("project")
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text("[user]\nname = Tests\nemail = tests@localhost\n", encoding="utf-8")
    (folder / "scripts").mkdir()
    for file in [PROJECT / "Makefile", PROJECT / "scripts/setup", *PROJECT.glob("requirements*.txt")]:
        shutil.copy2(file, folder / file.relative_to(PROJECT))
    copy_environment(folder / ".venv")
    (folder / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (folder / ".gitignore").write_text("/.venv\n/runs.log\n", encoding="utf-8")
    (folder / "scans").mkdir()
    for number in range(4):
        (folder / f"scans/{number}.png").write_bytes(bytes([number]) * 1000)
    # Nothing of whoever runs this decides where DVC signs in.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "GOOGLE_", "DVC_", "SSH_", "STORAGE_EMULATOR", "REMOTES", "MAKE", "MFLAGS"))
    }
    environment |= {
        "HOME": str(home),
        "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}",
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path("~/.cache/pip").expanduser())),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        # It asks for the kind of a bucket over gRPC with TLS, which the emulator does not speak.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        # No compiler is needed.
        "HOUNSFIELD_PROGRAMS": str(folder),
    }
    project = Project(folder, environment)
    assert project.shell("make setup") == "", "the environment is the project's own, up to date: make setup"
    project.shell("git init --quiet && dvc init --quiet && dvc repro && git add --all && git commit --quiet -m run")
    assert project.runs() == 2
    return project


@pytest.fixture
def project(made, tmp_path):
    """A copy that a test may change. Kinds of remotes that it installs stay for the tests after it."""
    return made.copied(tmp_path / "project")
