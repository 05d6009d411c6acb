"""One training by two tasks of a real Slurm, from deploy/slurm.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_slurm_training.py
"""

import os
import signal
from pathlib import Path

import pytest

import mpi_study
from mpi_programs import require, with_the_stages
from mpi_study import wait_until
from slurm_cluster import UNFINISHED, cluster

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/slurm/train-mpi.sbatch"
TASKS = 2


@pytest.fixture
def study(tmp_path, monkeypatch):
    require()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(mpi_study.LIBTORCH))
    made = mpi_study.made(tmp_path / "study", with_the_stages(tmp_path / "bin"))
    made.descent(epochs=8)
    return made


@pytest.fixture
def slurm(tmp_path):
    with cluster(tmp_path / "cluster") as made:
        yield made


def state(slurm, job):
    """What Slurm says of a job."""
    words = slurm.run("scontrol", "--oneliner", "show", "job", job).split()
    return dict(word.split("=", 1) for word in words if "=" in word)["JobState"]


def tasks_of(study):
    """The processes that train in the study."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "exe").resolve() == study.programs / "train-mpi":
                found.append(int(process.name))
        except OSError:
            continue
    return sorted(found)


def test_a_task_that_is_killed_ends_the_job_and_the_job_goes_on_when_it_is_put_back(study, slurm, tmp_path):
    study.train(TASKS)
    _, whole = study.take()
    log = tmp_path / "train.log"
    environment = study.environment | {"TRAIN": str(study.programs / "train-mpi")}
    environment["PATH"] += ":/usr/bin:/bin"
    job = slurm.run(
        "sbatch", "--parsable", "--chdir", study.folder, f"--ntasks={TASKS}", "--cpus-per-task=1", "--mem=0",
        f"--output={log}", "--open-mode=append", SCRIPT, **environment,
    )  # fmt: skip

    def said():
        return f"{state(slurm, job)}: {log.read_text(encoding='utf-8') if log.exists() else 'no log'}"

    wait_until(lambda: study.epochs_done() > 0 or state(slurm, job) not in UNFINISHED, "an epoch")
    running = tasks_of(study)
    assert len(running) == TASKS, said()
    os.kill(running[1], signal.SIGKILL)
    wait_until(lambda: state(slurm, job) not in UNFINISHED, "the end of the job")
    assert state(slurm, job) == "FAILED", said()
    assert not tasks_of(study)
    assert not list(study.folder.glob("artifacts/model_training/*"))

    slurm.run("scontrol", "requeue", job)
    wait_until(lambda: state(slurm, job) in {"COMPLETED", "FAILED"}, "the end of the job")
    assert state(slurm, job) == "COMPLETED", said()
    assert "going on after epoch" in log.read_text(encoding="utf-8")
    assert f"by {TASKS} processes" in log.read_text(encoding="utf-8")
    assert study.take()[1] == whole
