"""A training by two hosts: the cable between them is cut, and put back."""

import shutil
import subprocess

import pytest

from mpi_study import PATIENCE_SECONDS, wait_until
from two_hosts import two_hosts


@pytest.fixture
def hosts(tmp_path):
    if not (shutil.which("ip") and shutil.which("nsenter")):
        pytest.skip("ip or nsenter is missing: apt-get install iproute2 util-linux")
    with two_hosts(tmp_path) as made:
        yield made


def test_a_cable_that_is_cut_ends_the_training_and_it_goes_on_to_the_same_bytes(study, hosts, tmp_path):
    study.descent(epochs=8)
    study.train(2)
    _, whole = study.take()
    launcher = {"program": "mpirun", "processes": 2, "arguments": hosts.arguments(), "time_limit_seconds": 8}
    study.change("config.yaml", launcher=launcher)
    command = [*hosts.at(0).split(), study.programs / "train"]
    log = tmp_path / "train.log"
    # Not into a pipe: Open MPI's daemon on the other host may hold it open for minutes.
    with log.open("w", encoding="utf-8") as file:
        training = subprocess.Popen(
            command, cwd=study.folder, env=study.environment, stdout=subprocess.DEVNULL, stderr=file
        )  # fmt: skip
    wait_until(lambda: study.epochs_done() > 0 or training.poll() is not None, "an epoch")
    hosts.cable("down")
    code = training.wait(timeout=PATIENCE_SECONDS)
    said = log.read_text(encoding="utf-8")
    assert code != 0, said
    # Whoever notices it first: the processes, or the launcher.
    assert "another process has not answered for" in said or "lost communication with a remote daemon" in said
    assert not list(study.folder.glob("artifacts/model_training/*"))
    hosts.clear()

    hosts.cable("up")
    study.change("config.yaml", launcher={"time_limit_seconds": 60})
    done = subprocess.run(
        command, cwd=study.folder, env=study.environment, capture_output=True, text=True, check=False, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "going on after epoch" in done.stderr
    assert study.take()[1] == whole
