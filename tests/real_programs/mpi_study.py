"""A small study whose last block learns by epochs, and its trainings by one process or several."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from built_programs import PROJECT
from mpi_programs import ENVIRONMENT, MPIRUN
from small_models import params
from small_pipeline import Pipeline

HEAD = {"kind": "global_pool", "hidden_units": 16, "image_size": 32, "rate": 0.1}
# Neither the steps nor the last one can be divided evenly: 20 training images.
DESCENT = {"epochs": 2, "batch_size": 7, "optimizer": "sgd", "learning_rate": 0.1, "label_smoothing": 0.1}
PATIENCE_SECONDS = 60
LIBTORCH = PROJECT / ".venv" / "libtorch" / "lib"


class Study:
    """A folder with images and a base, ready to be trained on."""

    def __init__(self, folder: Path, programs: Path):
        self.folder = folder
        self.programs = programs
        # Without the server of somebody's experiments.
        own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        self.environment = own | ENVIRONMENT

    def copied(self, folder):
        """A copy in another folder."""
        shutil.copytree(self.folder, folder)
        copy = Study(folder, self.programs)
        inputs = {name: str(folder / "data" / name) for name in ["data_ingestion", "data_validation"]}
        copy.change("config.yaml", paths=inputs)
        return copy

    def change(self, file, **sections):
        """Replaces keys of the sections of a configuration file."""
        path = self.folder / file
        content = json.loads(path.read_text(encoding="utf-8"))
        for section, keys in sections.items():
            content.setdefault(section, {}).update(keys)
        path.write_text(json.dumps(content), encoding="utf-8")

    def descent(self, **keys):
        self.change("params.yaml", train={"descent": DESCENT | keys})

    def command(self, processes):
        """The training by so many processes."""
        return [*MPIRUN, "-n", str(processes), self.programs / "train-mpi"]

    def train(self, processes, *arguments, code=0, **variables):
        """What a training logged."""
        command = [*self.command(processes), *arguments] if processes else [self.programs / "train", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | variables, capture_output=True, text=True, check=False,
            timeout=600,
        )  # fmt: skip
        assert done.returncode == code, f"{done.returncode}: {done.stderr}"
        return done.stderr

    def start(self, processes):
        """The launcher of a training that goes on meanwhile."""
        return subprocess.Popen(
            self.command(processes), cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def take(self):
        """The checkpoints of the one finished training, by epoch; the training is removed."""
        folder = self.folder / "artifacts" / "model_training"
        files = sorted(folder.glob("Checkpoint_*/model_e*.safetensors"))
        taken = {file.name.split("_")[1]: file.read_bytes() for file in files}
        digest = hashlib.sha256()
        for file in sorted(folder.glob("Checkpoint_*/*")):
            digest.update(file.name.encode() + file.read_bytes())
        shutil.rmtree(folder)
        return taken, digest.hexdigest()

    def forget(self):
        """Removes what is unfinished."""
        shutil.rmtree(self.folder / "artifacts" / "training_work", ignore_errors=True)

    def epochs_done(self):
        """How many checkpoints unfinished trainings have."""
        return len(list((self.folder / "artifacts").glob("training_work/*/model_e*.safetensors")))


def made(folder, programs):
    """The study, with a base."""
    pipeline = Pipeline(programs, folder, HEAD, folder / "data")
    study = Study(folder, programs)
    content = params(HEAD)
    content["prepare_base"]["freeze"] = {"until": "block4_pool"}
    content["train"]["descent"] = DESCENT
    (folder / "params.yaml").write_text(json.dumps(content), encoding="utf-8")
    for stage in ["ingest", "validate", "prepare-base"]:
        pipeline.run(stage)
    return study


def children(launcher):
    """The process ids of the processes that a launcher started."""
    path = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    return [int(pid) for pid in path.read_text(encoding="utf-8").split()]


def wait_until(reached, what):
    """Waits until `reached` returns something true, and returns it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (value := reached()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_SECONDS} s"
        time.sleep(0.02)
    return value


def end(launcher):
    """What a launcher logged, and its exit code; kills what is left of it first."""
    try:
        _, log = launcher.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in [*children(launcher), launcher.pid]:
            os.kill(pid, signal.SIGKILL)
        _, log = launcher.communicate()
        raise AssertionError(f"it hung: {log}") from None
    return log, launcher.returncode
