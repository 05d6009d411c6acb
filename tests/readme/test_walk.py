"""The README's commands, in its order, in a fresh clone: what a newcomer types, with a small sample.

Run with: .venv-reference/bin/python -m pytest tests/readme
HOUNSFIELD_PROGRAMS is a folder of programs built already.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 300


class Expected(NamedTuple):
    """What a command of the README has to do."""

    pattern: str
    runs_on: bool = False


# Every command of the README. One that is added there has to be added here.
COMMANDS = {
    "make repro": Expected(r"accuracy \d\.\d+ \(95 % interval"),
    "make repro PROFILE=chest-ct DATA=~/chest-ctscan-images.zip": Expected(r"accuracy \d\.\d+ \(95 % interval"),
    "make profile NAME=my-scans": Expected("profiles/my-scans is ready"),
    "make repro PROFILE=my-scans DATA=/path/to/folder-or-zip": Expected(r"accuracy \d\.\d+ \(95 % interval"),
    ". .venv/bin/activate": Expected(""),
    "dvc exp run --temp -S 'train.solve.strengths=[0.3, 1.0]'": Expected("Ran experiment"),
    "dvc exp show --only-changed": Expected("train.solve.strengths"),
    "make mlflow": Expected("", runs_on=True),
    "make repro MLFLOW=1": Expected("nothing ran, so nothing was tracked"),
    "make register": Expected("promoted|not promoted|champion"),
    "make serve": Expected("", runs_on=True),
    "curl --data-binary @scan.png http://127.0.0.1:8080/v1/predict": Expected('"probabilities"'),
    "scripts/stage predict ~/scans --output predictions.csv": Expected("wrote predictions.csv"),
}

# Commands that are not run here, with the reason.
NOT_RUN = {"make test": "this test is a part of it"}

# Texts of its own that the README shows; a newcomer checks by them that all went well.
SHOWN_BY_REPRO = ["The accuracy of", "95 % interval", "Research use only"]


def commands() -> list[str]:
    """The lines of the README's shell blocks, without their comments."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", readme, flags=re.DOTALL) for line in block.splitlines()]
    return [command for line in lines if (command := re.sub(r"\s+#.*$", "", line).strip())]


def test_every_command_of_the_readme_is_known_here():
    known = COMMANDS.keys() | NOT_RUN.keys()
    assert set(commands()) == known


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Newcomer:
    """A clone of the project, a home folder, and a shell in the clone."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "hounsfield"
        self.home = folder / "home"
        self.home.mkdir()
        # Experiments are commits, and git asks whose.
        (self.home / ".gitconfig").write_text("[user]\nname = Newcomer\nemail = newcomer@localhost\n", encoding="utf-8")
        self.ports = {"5000": str(free_port()), "8080": str(free_port())}
        self.running: list[subprocess.Popen[bytes]] = []
        self.environment = os.environ | {
            "HOME": str(self.home),
            "DVC_NO_ANALYTICS": "1",
            "HOUNSFIELD_PROGRAMS": os.environ.get("HOUNSFIELD_PROGRAMS", str(PROJECT / "target/release")),
        }
        self.environment.pop("MLFLOW_TRACKING_URI", None)
        self._copy()

    def _copy(self) -> None:
        """What git tracks or would, as it is now, committed; what make setup makes is shared."""
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT, check=True, capture_output=True,
        ).stdout  # fmt: skip
        for name in filter(None, listing.decode().split("\0")):
            source, target = PROJECT / name, self.clone / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                target.symlink_to(source.readlink())
            elif source.exists():
                shutil.copy2(source, target)
        for environment in [".venv", ".venv-mlflow"]:
            (self.clone / environment).symlink_to(PROJECT / environment)
        self._shrink(self.clone / "params.yaml")
        self._shrink(self.clone / "profiles/chest-ct/params.yaml")
        config = self.clone / "config.yaml"
        address = f"\nserve: {{address: '127.0.0.1:{self.ports['8080']}'}}\n"
        config.write_text(without_section(config.read_text(encoding="utf-8"), "serve") + address, encoding="utf-8")
        # Results of the whole sample are not those of a small one.
        (self.clone / "dvc.lock").unlink()
        for command in [
            ["init", "--quiet"],
            ["add", "--all"],
            ["commit", "--quiet", "--message", "clone"],
        ]:
            subprocess.run(["git", *command], cwd=self.clone, env=self.environment, check=True)

    @staticmethod
    def _shrink(path: Path) -> None:
        """Small images, few of them, a base without a download."""
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        params["ingest"]["sample"]["images"] = 96
        params["prepare_base"] |= {"image_size": 32, "weights": "random"}
        params["train"] |= {"device": "cpu", "precision": "fp32"}
        params["train"]["solve"] |= {"folds": 2}
        params["evaluate"] |= {"bootstrap_resamples": 100, "explanations": 2, "control_refits": 1, "device": "cpu"}
        path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")

    def bring_scans(self) -> None:
        """What a person has at home: a zip file, a folder, one scan."""
        images = self.clone / "artifacts/data_ingestion"
        classes = yaml.safe_load((self.clone / "profiles/chest-ct/config.yaml").read_text(encoding="utf-8"))["data"]
        with zipfile.ZipFile(self.home / "chest-ctscan-images.zip", "w") as archive:
            for image in sorted(images.glob("*/*/*.png")):
                split, name = image.relative_to(images).parts[:2]
                folder = classes["classes"][name][0]
                archive.write(image, f"Data/{split}/{folder}/{image.name}")
        scans = self.home / "scans"
        for image in sorted((images / "test").glob("*/*.png"))[:4]:
            (scans / image.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(image, scans / image.parent.name)
        shutil.copy(next((images / "test").glob("*/*.png")), self.clone / "scan.png")

    def types(self, command: str) -> str:
        """Runs a command as the shell does in which the environment was activated."""
        script = ". .venv/bin/activate\n" + self._at_free_ports(command)
        done = subprocess.run(
            ["bash", "-euc", script], cwd=self.clone, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}:\n{done.stdout}"
        return done.stdout

    def starts(self, command: str) -> None:
        """Starts a command that runs until Ctrl-C, and waits for what it serves."""
        log = (self.clone.parent / f"{command.rsplit(maxsplit=1)[-1]}.log").open("wb")
        process = subprocess.Popen(
            ["bash", "-euc", self._at_free_ports(command)], cwd=self.clone, env=self.environment,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        port = self.ports["5000" if "mlflow" in command else "8080"]
        path = "health" if "mlflow" in command else "readyz"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert process.poll() is None, Path(log.name).read_text(encoding="utf-8")
            assert time.monotonic() < deadline, Path(log.name).read_text(encoding="utf-8")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                return

    def _at_free_ports(self, command: str) -> str:
        """The same command where the ports of this machine may be taken, and the paths are ours."""
        mlflow = self.ports["5000"]
        command = re.sub(r"^make mlflow$", f"scripts/mlflow --port {mlflow}", command)
        command = command.replace("MLFLOW=1", f"MLFLOW=1 MLFLOW_TRACKING_URI=http://127.0.0.1:{mlflow}")
        command = re.sub(r"^make register$", f"MLFLOW_TRACKING_URI=http://127.0.0.1:{mlflow} make register", command)
        command = command.replace(":8080", f":{self.ports['8080']}")
        return command.replace("/path/to/folder-or-zip", str(self.home / "chest-ctscan-images.zip"))

    def leaves(self) -> None:
        for process in self.running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def without_section(text: str, name: str) -> str:
    """YAML without one of its sections."""
    return re.sub(rf"(?m)^{name}:.*\n(?:[ \t#].*\n|\n)*", "", text)


@pytest.fixture
def newcomer(tmp_path):
    # The server's own environment, which make mlflow makes.
    subprocess.run([PROJECT / "scripts/setup", "mlflow"], check=True)
    newcomer = Newcomer(tmp_path)
    yield newcomer
    newcomer.leaves()


def test_the_readme_walked_from_top_to_bottom(newcomer):
    for command in commands():
        if command in NOT_RUN:
            continue
        expected = COMMANDS[command]
        if expected.runs_on:
            newcomer.starts(command)
            continue
        output = newcomer.types(command)
        assert re.search(expected.pattern, output), f"{command}:\n{output}"
        if command == "make repro":
            for text in SHOWN_BY_REPRO:
                assert text in output, output
            newcomer.bring_scans()
        # An experiment aside, a profile or a run on a server changes nothing of what git holds.
        changed = newcomer.types("git status --porcelain params.yaml config.yaml dvc.yaml")
        assert not changed.strip(), f"{command} left {changed}"
