"""A newcomer, who types the commands of a document in its order, with a small sample."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("HOUNSFIELD_PROGRAMS", PROJECT / "target/release"))
PATIENCE_SECONDS = 300


class Step(NamedTuple):
    """A command of a document, and what it has to print; or why it is not run here."""

    command: str
    prints: str = ""
    runs_on: bool = False
    not_run: str = ""


def commands(document: str) -> list[str]:
    """The lines of a document's shell blocks, without their comments."""
    text = (PROJECT / document).read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()]
    return [command for line in lines if (command := re.sub(r"\s+#.*$", "", line).strip())]


def free_port() -> int:
    """A port that nobody listens to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def without_section(text: str, name: str) -> str:
    """YAML without one of its sections."""
    return re.sub(rf"(?m)^{name}:.*\n(?:[ \t#].*\n|\n)*", "", text)


class Newcomer:
    """A home folder with the installed tool, and a shell."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "work"
        self.home = folder / "home"
        self.port = free_port()
        self.running: list[subprocess.Popen[bytes]] = []
        (self.home / "bin").mkdir(parents=True)
        self.place.mkdir()
        # Experiments are commits, and git asks whose.
        (self.home / ".gitconfig").write_text("[user]\nname = Newcomer\nemail = newcomer@localhost\n", encoding="utf-8")
        tool = PROGRAMS / "hounsfield"
        assert tool.is_file(), f"{tool} is missing; HOUNSFIELD_PROGRAMS names a folder of built programs"
        (self.home / "bin/hounsfield").symlink_to(tool.resolve())
        search = [str(self.home / "bin"), str(PROJECT / ".venv/bin"), os.environ["PATH"]]
        libtorch = str((PROJECT / ".venv/libtorch").resolve())
        self.environment = os.environ | {
            "HOME": str(self.home),
            "PATH": ":".join(search),
            "DVC_NO_ANALYTICS": "1",
            "HOUNSFIELD_PROGRAMS": str(PROGRAMS),
            "HOUNSFIELD_PYTHON": str(PROJECT / ".venv/bin/python"),
            "LIBTORCH": os.environ.get("LIBTORCH", libtorch),
        }
        self.environment.pop("MLFLOW_TRACKING_URI", None)

    def clones(self, folder: Path) -> None:
        """What git tracks or would, as it is now, committed; what make setup makes is shared."""
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT, check=True, capture_output=True,
        ).stdout  # fmt: skip
        for name in filter(None, listing.decode().split("\0")):
            source, target = PROJECT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                target.symlink_to(source.readlink())
            elif source.exists():
                shutil.copy2(source, target)
        (folder / ".venv").symlink_to(PROJECT / ".venv")
        # Results of the whole sample are not those of a small one.
        (folder / "dvc.lock").unlink()
        self._run(["git", "init", "--quiet"], folder)
        self._makes_small(folder)

    def walks(self, steps: Sequence[Step]) -> None:
        """Types every command that is to be run, and holds what it prints against what it should."""
        for step in steps:
            if step.runs_on:
                self.starts(step.command)
            elif not step.not_run:
                printed = self.types(step.command)
                assert re.search(step.prints, printed), f"{step.command}:\n{printed}"

    def types(self, command: str) -> str:
        """Runs a command where the newcomer is."""
        if command.startswith("cd "):
            self.place = (self.place / command.removeprefix("cd ")).resolve(strict=True)
            return ""
        done = subprocess.run(
            ["bash", "-euc", self._at_a_free_port(command)], cwd=self.place, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}:\n{done.stdout}"
        if command.startswith("hounsfield init "):
            self._makes_small(self.place / shlex.split(command)[2])
        return done.stdout

    def starts(self, command: str) -> None:
        """Starts a server that runs until Ctrl-C, and waits for it."""
        log = (self.home / "server.log").open("wb")
        process = subprocess.Popen(
            ["bash", "-euc", f"exec {command}"], cwd=self.place, env=self.environment,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert process.poll() is None, Path(log.name).read_text(encoding="utf-8")
            assert time.monotonic() < deadline, Path(log.name).read_text(encoding="utf-8")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                return

    def brings_scans(self, images: Path, config: Path) -> None:
        """A zip file of scans at home, in the folders that a configuration names: images of the sample."""
        classes = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]["classes"]
        with zipfile.ZipFile(self.home / "chest-ctscan-images.zip", "w") as archive:
            for image in sorted(images.glob("*/*/*.png")):
                split, name = image.relative_to(images).parts[:2]
                archive.write(image, f"Data/{split}/{classes[name][0]}/{image.name}")

    def leaves(self) -> None:
        """Ends what still runs."""
        for process in self.running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _at_a_free_port(self, command: str) -> str:
        return command.replace(":8080", f":{self.port}")

    def _makes_small(self, study: Path) -> None:
        """Small images, few of them, a base without a download, a port that is free; committed."""
        params = yaml.safe_load((study / "params.yaml").read_text(encoding="utf-8"))
        params["ingest"]["sample"]["images"] = 96
        params["prepare_base"] |= {"image_size": 32, "weights": "random"}
        params["train"] |= {"device": "cpu", "precision": "fp32"}
        params["train"]["solve"] |= {"folds": 2}
        params["evaluate"] |= {"bootstrap_resamples": 100, "explanations": 2, "control_refits": 1, "device": "cpu"}
        (study / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        config = study / "config.yaml"
        address = f"\nserve: {{address: '127.0.0.1:{self.port}'}}\n"
        config.write_text(without_section(config.read_text(encoding="utf-8"), "serve") + address, encoding="utf-8")
        self._run(["git", "add", "--all"], study)
        self._run(["git", "commit", "--quiet", "--message", "Small"], study)

    def _run(self, command: list[str], folder: Path) -> None:
        subprocess.run(command, cwd=folder, env=self.environment, check=True)
