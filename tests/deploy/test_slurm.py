"""Predictions as an array of a real Slurm, from deploy/slurm.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_slurm.py
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import ci_study
from built_programs import programs
from monitoring_programs import wait_until
from slurm_cluster import cluster, ended

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/slurm/predict-array.sbatch"
SHARDS = 4
SCANS = 40
# In which the first start of task 2 waits, until it is killed.
HELD = """\
#!/bin/sh
if [ "$SLURM_ARRAY_TASK_ID" = 2 ] && mkdir {held} 2>/dev/null; then
    set -- "$@" {pipe}
fi
exec {hounsfield} "$@"
"""


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return ci_study.made(tmp_path_factory.getbasetemp() / "ci-study")


@pytest.fixture
def slurm(tmp_path):
    with cluster(tmp_path / "cluster") as made:
        yield made


def generated_scans(study, folder):
    """Pictures of the study's sample, a copy, and a file that is none."""
    pictures = sorted((study.folder / "artifacts/data_ingestion").glob("*/*/*.png"))[: SCANS - 2]
    assert len(pictures) == SCANS - 2
    for number, picture in enumerate(pictures):
        to = folder / f"patient-{number % 5}" / f"{number}.png"
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, to)
    shutil.copy(pictures[0], folder / "copy.png")
    (folder / "notes.txt").write_text("No picture.\n", encoding="utf-8")
    return folder


def predicted(study, *arguments):
    command = [programs() / "hounsfield", "predict", *arguments]
    environment = os.environ | study.environment
    return subprocess.run(command, cwd=study.folder, env=environment, capture_output=True, text=True, check=False)


def test_an_array_with_a_task_that_is_killed_merges_to_the_bytes_of_one_process(study, slurm, tmp_path):
    scans = generated_scans(study, tmp_path / "scans")
    parts, pipe, held = tmp_path / "parts", tmp_path / "pipe.png", tmp_path / "held"
    os.mkfifo(pipe)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    wrapper = bin_folder / "hounsfield"
    words = {"held": held, "pipe": pipe, "hounsfield": programs() / "hounsfield"}
    wrapper.write_text(HELD.format(**{name: shlex.quote(str(path)) for name, path in words.items()}), encoding="utf-8")
    wrapper.chmod(0o755)
    environment = study.environment | {"SCANS": str(scans), "PARTS": str(parts)}
    environment["PATH"] = f"{bin_folder}:{environment['PATH']}:/usr/bin:/bin"

    job = slurm.run(
        "sbatch", "--parsable", "--chdir", study.folder, "--cpus-per-task=1", "--mem=0",
        f"--output={tmp_path}/task-%a.log", SCRIPT, **environment,
    )  # fmt: skip
    wait_until(held.exists, lambda: f"task 2 did not start: {slurm.states(job)}")
    wait_until(lambda: slurm.states(job).get("2") == "RUNNING", "task 2 does not run")
    slurm.run("scontrol", "requeue", f"{job}_2")
    states = ended(slurm, job, SHARDS, seconds=240)
    logs = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("task-*.log")}
    assert set(states.values()) == {"COMPLETED"}, (states, logs)

    one = predicted(study, scans, "--output", tmp_path / "one.csv")
    merged = predicted(study, "merge", *sorted(parts.glob("*.csv")), "--output", tmp_path / "merged.csv")
    assert (merged.returncode, one.returncode) == (3, 3), merged.stderr
    assert (tmp_path / "merged.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert sorted(path.name for path in parts.iterdir()) == sorted(
        name for number in range(SHARDS) for name in (f"{number}.csv", f"{number}.csv.shard.json")
    )


def test_one_task_of_an_array_is_submitted_again_by_itself(study, slurm, tmp_path):
    scans = generated_scans(study, tmp_path / "scans")
    environment = study.environment | {"SCANS": str(scans), "PARTS": str(tmp_path / "parts")}
    environment["PATH"] = f"{environment['PATH']}:/usr/bin:/bin"
    options = ["--parsable", "--chdir", study.folder, "--cpus-per-task=1", "--mem=0", f"--output={tmp_path}/%a.log"]
    job = slurm.run("sbatch", *options, "--array=2", SCRIPT, SHARDS=str(SHARDS), **environment)
    assert ended(slurm, job, 1, seconds=120) == {"2": "COMPLETED"}, (tmp_path / "2.log").read_text(encoding="utf-8")
    merged = predicted(study, "merge", tmp_path / "parts/2.csv", "--output", tmp_path / "merged.csv")
    assert merged.returncode == 1
    assert "3 shards are missing" in merged.stderr
    assert f"predict --shard 0/{SHARDS} --output {tmp_path}/parts/0.csv" in merged.stderr


def test_without_scans_the_script_says_what_is_missing(tmp_path):
    done = subprocess.run(["sh", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "SCANS=/data/scans sbatch" in done.stderr
