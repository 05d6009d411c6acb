"""A small study in git and DVC, made by the real programs, and a second model that has learnt nothing."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from built_programs import programs

PROJECT = Path(__file__).resolve().parents[2]
DVC = PROJECT / ".venv/bin/dvc"

# Small enough to run in seconds.
CHANGES = {
    ("ingest", "sample", "images"): 160,
    ("prepare_base", "image_size"): 32,
    ("train", "solve", "folds"): 2,
    ("train", "solve", "cuts"): [["block4_pool"]],
    ("train", "precision"): "fp32",
    ("calibrate", "out_of_fold_below"): 0,
    ("evaluate", "bootstrap_resamples"): 100,
    ("evaluate", "control_refits"): 0,
    ("evaluate", "probes"): False,
    ("evaluate", "explanations"): 0,
}


def environment(folder):
    """In which DVC and git know nothing of whoever runs this, and the programs are found."""
    return {
        "PATH": f"{programs()}:{DVC.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        # `hounsfield` looks for it in places that this HOME does not have.
        "LIBTORCH": str(PROJECT / ".venv/libtorch"),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc-site"),
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Tests",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "tests@localhost",
    }


def key(role="predict"):
    """A key made as a person makes it: the key, and its entry of config.yaml."""
    command = [programs() / "serve", "key", "--name", "tests", "--role", role]
    made = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    entry = next(line for line in made.splitlines() if "sha256" in line)
    return next(word for word in made.split() if word.startswith("hk_")), yaml.safe_load(entry.strip())[0]


class Study:
    """A study whose run is committed and pushed: to `remote` what DVC has, to `origin` what git has."""

    def __init__(self, folder, home):
        self.folder, self.home = folder, home

    @property
    def environment(self):
        return environment(self.home)

    def shell(self, line):
        """Runs a line as a person types it; what it prints."""
        done = subprocess.run(
            ["bash", "-euc", line], cwd=self.folder, env=os.environ | self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}:\n{done.stdout}"
        return done.stdout

    def change(self, name, *keys, value):
        """Sets a key of params.yaml or config.yaml."""
        file = self.folder / name
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        part = content
        for key in keys[:-1]:
            part = part.setdefault(key, {})
        part[keys[-1]] = value
        file.write_text(yaml.safe_dump(content), encoding="utf-8")

    def cloned(self, folder):
        """What a job begins with."""
        home = folder.with_name(f"{folder.name} home")
        home.mkdir(parents=True)
        self.shell(f"git clone --quiet '{self.folder.parent}/origin.git' '{folder}'")
        return Study(folder, home)

    def scans(self, name):
        """Test images of a class."""
        return sorted((self.folder / "artifacts/data_ingestion/test" / name).iterdir())


def pipeline():
    """The project's own dvc.yaml, with programs that are built already."""
    content = yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))
    stages = content["stages"]
    del stages["programs"], content["artifacts"]
    for stage in stages.values():
        # `select` alone would be a word of the shell.
        stage["cmd"] = stage["cmd"].replace("scripts/stage ", "exec ")
        stage["deps"] = [path for path in stage["deps"] if not path.startswith("artifacts/programs/")]
    return content


@cache
def made(folder):
    """The study, run once."""
    if not DVC.exists():
        pytest.skip("DVC is missing: make setup")
    (folder / "home").mkdir(parents=True)
    study = Study(folder / "study", folder / "home")
    for name in ["study/data", "study/weights", "study/corrections", "remote"]:
        (folder / name).mkdir(parents=True)
    for name in ["config.yaml", "params.yaml"]:
        shutil.copy(PROJECT / name, study.folder)
    (study.folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline(), sort_keys=False), encoding="utf-8")
    for name in ["data", "weights", "corrections"]:
        (study.folder / name / "README.md").write_text("Empty.\n", encoding="utf-8")
    for keys, value in CHANGES.items():
        study.change("params.yaml", *keys, value=value)
    study.change("config.yaml", "promotion", value={"minimum": 0.0, "baselines": "warn"})
    study.shell(
        "git init --quiet --initial-branch main && dvc init --quiet && dvc config core.autostage false && "
        f"dvc remote add --quiet --default remote '{folder}/remote' && dvc repro --quiet && git add --all && "
        "git commit --quiet --message run && dvc push --quiet && "
        f"git init --quiet --bare '{folder}/origin.git' && git push --quiet '{folder}/origin.git' main && "
        f"git --git-dir '{folder}/origin.git' symbolic-ref HEAD refs/heads/main"
    )
    return study


@cache
def weak_model(study):
    """The folder of a model that was trained on permuted labels."""
    weak = Study(study.folder.parent / "weak", study.home)
    shutil.copytree(study.folder, weak.folder, ignore=shutil.ignore_patterns(".git", ".dvc", "model_training"))
    weak.change("params.yaml", "train", "permute_labels", value=True)
    weak.shell("train && command select && calibrate")
    return weak.folder / "model"
