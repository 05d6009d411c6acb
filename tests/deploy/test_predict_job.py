"""The Job of deploy/kubernetes is one that Kubernetes takes, and its command is one that predict takes.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_predict_job.py
"""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from built_programs import programs
from chart import schemas
from pod_security import violations

JOB = Path(__file__).resolve().parents[2] / "deploy/kubernetes/predict-job.yaml"
# The oldest that knows `backoffLimitPerIndex` without a switch, and a new one.
KUBERNETES = ["1.29", "1.35"]


def job():
    return yaml.safe_load(JOB.read_text(encoding="utf-8"))


def container():
    (found,) = job()["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(version):
    schemas().validate(job(), version, strict=True)


def test_the_pod_may_run_where_nothing_is_allowed():
    assert not violations(job()["spec"]["template"]["spec"])


def test_the_command_counts_as_many_shards_as_the_job_has_pods():
    (line,) = container()["args"]
    assert f"--shard env/{job()['spec']['completions']}" in line


def test_threads_are_as_many_as_processors():
    threads = {variable["name"]: variable["value"] for variable in container()["env"]}
    assert set(threads.values()) == {container()["resources"]["limits"]["cpu"]}
    assert set(threads) == {"OMP_NUM_THREADS", "RAYON_NUM_THREADS"}


def test_predict_takes_the_command(tmp_path):
    (line,) = container()["args"]
    words = [word.replace("/data", str(tmp_path)) for word in shlex.split(line.removeprefix("exec predict "))]
    done = subprocess.run(
        [programs() / "predict", *words], cwd=tmp_path, env={"JOB_COMPLETION_INDEX": "7"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    # Its options are known; what is missing is the study.
    assert done.returncode == 2, done.stderr
    assert "config.yaml" in done.stderr
