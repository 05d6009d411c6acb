"""A model made by the real stages in a temporary folder, and the real server that serves it."""

import shutil
import subprocess
from pathlib import Path

import yaml

from built_programs import programs

ROOT = Path(__file__).resolve().parents[2]
STAGES = ["ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"]
STARTED_IN_SECONDS = 120

# Small enough to run in seconds.
CHANGES = {
    ("ingest", "sample", "images"): 120,
    ("prepare_base", "image_size"): 32,
    ("train", "solve", "folds"): 2,
    ("train", "precision"): "fp32",
    ("evaluate", "bootstrap_resamples"): 200,
}


class Project:
    """A folder with `config.yaml`, a model and its test images."""

    def __init__(self, folder):
        self.folder = folder

    @classmethod
    def made(cls, folder):
        """The whole pipeline, run on a small sample."""
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        for (section, *keys, last), value in CHANGES.items():
            part = params[section]
            for key in keys:
                part = part[key]
            assert last in part, f"params.yaml has no {section}.{last}"
            part[last] = value
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        shutil.copy(ROOT / "config.yaml", folder)
        for stage in STAGES:
            done = subprocess.run([programs() / stage], cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{stage} ended with {done.returncode}:\n{done.stderr}"
        return cls(folder)

    def configured(self, folder, **serve):
        """The same model in another folder, with other settings of the server, and no records yet."""
        config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
        config["serve"] = config.get("serve", {}) | serve
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        shutil.copy(self.folder / "params.yaml", folder)
        for name in ["model", "artifacts"]:
            shutil.copytree(self.folder / name, folder / name)
        return Project(folder)

    def key(self, role):
        """A key made as by a user: the key, and its entry of config.yaml."""
        done = subprocess.run(
            [programs() / "serve", "key", "--name", role, "--role", role],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        key = next(word for word in done.stdout.split() if word.startswith("hk_"))
        entry = next(line for line in done.stdout.splitlines() if "sha256" in line)
        return key, yaml.safe_load(entry.strip())[0]

    def test_image(self, name, at=0):
        """An image of the class, from the model's test images."""
        return sorted((self.folder / "artifacts" / "data_ingestion" / "test" / name).iterdir())[at]


class Server:
    """`serve` on a free port, until `stop`."""

    def __init__(self, project, address="127.0.0.1:0"):
        self.log = (project.folder / "serve.log").open("a", encoding="utf-8")
        self.process = subprocess.Popen(
            [programs() / "serve", "--address", address],
            cwd=project.folder,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        line = self.process.stdout.readline()
        log = (project.folder / "serve.log").read_text(encoding="utf-8")
        assert line.startswith("listening on "), f"serve said {line!r}\n{log}"
        self.url = line.removeprefix("listening on ").strip()

    def stop(self):
        """Stops it with SIGTERM, and waits."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=STARTED_IN_SECONDS)
        self.process.stdout.close()
        self.log.close()
