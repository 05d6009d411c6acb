"""A folder in which the programs run."""

import os
import shutil
import subprocess
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
CLASSES = ["adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma"]


class Project:
    """A folder in which the programs run, with its own configuration."""

    def __init__(self, programs, folder, server, data, classes=None, promotion=None, **train):
        self.programs, self.folder, self.server = programs, folder, server
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "data": {
                "source": {"kind": "sample"},
                "classes": classes or {name: [name] for name in CLASSES},
            },
            "paths": {
                "data_ingestion": str(data / "data_ingestion"),
                "data_validation": str(data / "data_validation"),
            },
            "promotion": {"minimum": 0.0, **(promotion or {})},
        }
        params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
        params["ingest"] |= {
            "sample": {"images": 160},
            "split": {"train": 0.5, "valid": 0.1, "test": 0.4},
        }
        params["prepare_base"] |= {"image_size": 64}
        params["train"]["solve"] |= {"folds": 2, "cuts": [["block4_pool"]]}
        params["train"] |= train
        params["calibrate"] |= {"out_of_fold_below": 0}
        params["evaluate"] |= {"bootstrap_resamples": 100, "control_refits": 0, "probes": False, "explanations": 0}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")

    def start(self, program, *arguments, server=None):
        """Starts a program; registration connects to the server."""
        environment = os.environ | {
            "MLFLOW_TRACKING_URI": server or self.server,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        }
        if program not in ("register", "select"):
            del environment["MLFLOW_TRACKING_URI"]
        return subprocess.Popen(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program, *arguments, code=0, server=None):
        """Runs a program to its end; returns its output and its log."""
        process = self.start(program, *arguments, server=server)
        output, log = process.communicate()
        assert process.returncode == code, f"{program} ended with {process.returncode}:\n{output}\n{log}"
        return output, log

    @property
    def model(self):
        return self.folder / "model"

    @property
    def evaluation(self):
        return self.folder / "artifacts" / "evaluation"

    def make_model(self):
        for program in ["prepare-base", "train", "select", "calibrate", "evaluate"]:
            self.run(program)
        return self


def copied(project, folder):
    """A copy of the inputs of registration, which a test may change. Weights are the same file: a test may remove them,
    and nothing writes into them."""

    def link_weights(source, target):
        return os.link(source, target) if source.endswith(".safetensors") else shutil.copy2(source, target)

    unused = shutil.ignore_patterns("base_model", "features", "model_training", "training_work")
    shutil.copytree(project.folder, folder, ignore=unused, copy_function=link_weights)
    copy = Project.__new__(Project)
    copy.programs, copy.folder, copy.server = project.programs, folder, project.server
    return copy
