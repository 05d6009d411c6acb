"""Several processes learn what one learns, and their results do not depend on what happens to them."""

import contextlib
import os
import random
import shutil
import signal
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load

from built_programs import PROJECT
from mpi_study import children, end, wait_until

# More with HOUNSFIELD_RANK_KILLS=50.
KILLS = int(os.environ.get("HOUNSFIELD_RANK_KILLS", "5"))


def difference(one, other):
    """The largest difference of any weight after any epoch."""
    assert one.keys() == other.keys()
    largest = 0.0
    for epoch in one:
        ours, theirs = load(one[epoch]), load(other[epoch])
        assert ours.keys() == theirs.keys()
        largest = max([largest, *(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)])
    return largest


def test_processes_learn_what_one_learns_and_the_same_bytes_again(study, tmp_path):
    study.train(0)
    one, _ = study.take()
    assert list(one) == ["e1", "e2"]
    study.train(1)
    assert study.take()[0] == one
    for processes in (2, 3, 4):
        log = study.train(processes)
        assert f"by {processes} processes, each on cpu with 1 threads" in log
        assert "between the processes" in log
        together, digest = study.take()
        assert difference(one, together) < 1e-6, processes
        study.train(processes)
        assert study.take()[1] == digest, processes
    # The control: without the sum they learn something else.
    library = tmp_path / "not_summed.so"
    source = PROJECT / "tests/ranks/not_summed.c"
    subprocess.run(["mpicc", "-shared", "-fPIC", "-o", library, source], check=True)
    study.train(2, LD_PRELOAD=str(library))
    assert difference(one, study.take()[0]) > 1e-2


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_other_optimizers_with_weights_averages_and_dropout(study, optimizer):
    study.descent(optimizer=optimizer, learning_rate=1e-4, average=0.9, weight_decay=0.01)
    study.change("params.yaml", train={"class_weights": "balanced"})
    study.train(0)
    one, _ = study.take()
    study.train(3)
    assert difference(one, study.take()[0]) < 1e-6


def test_a_step_with_fewer_images_than_processes(study):
    # 20 images in steps of 6: the last one has 2.
    study.descent(batch_size=6)
    study.train(0)
    one, _ = study.take()
    study.train(4)
    assert difference(one, study.take()[0]) < 1e-6


def test_folds_and_a_solved_start_choose_as_one_process_does(study):
    study.change("params.yaml", prepare_base={"head": {"kind": "linear", "hidden_units": 0, "dropout": 0.0}})
    study.descent(learning_rate=0.001, folds=2)
    solve = {"folds": 2, "strengths": [0.3, 3.0], "widths": [], "cuts": [["block5_pool"]]}
    study.change("params.yaml", train={"solve": solve})
    subprocess.run([study.programs / "prepare-base"], cwd=study.folder, check=True, capture_output=True)
    study.train(0)
    one, _ = study.take()
    study.train(2)
    together, _ = study.take()
    assert difference(one, together) < 1e-5


def test_a_process_that_is_killed_ends_all_and_training_goes_on_to_the_same_bytes(study):
    study.descent(epochs=6)
    study.change("config.yaml", launcher={"time_limit_seconds": 20})
    study.train(3)
    _, whole = study.take()
    draw = random.Random(7)
    for _ in range(KILLS):
        log, code = killed(study, draw)
        if code == 0:
            # It was done first.
            assert study.take()[1] == whole
            continue
        assert code == 128 + signal.SIGKILL, log
        assert not list((study.folder / "artifacts").glob("model_training/*")), "a result of a killed training"
    study.train(3)
    assert study.take()[1] == whole


def killed(study, draw):
    """The log and the exit code of a training of which one process is killed, as it starts or after an epoch."""
    before = study.epochs_done()
    launcher = study.start(3)

    def is_over():
        return launcher.poll() is not None

    wait_until(lambda: is_over() or len(children(launcher)) == 3, "three processes")
    if draw.choice([True, False]):
        wait_until(lambda: is_over() or study.epochs_done() > before, "an epoch")
    pids = [] if is_over() else children(launcher)
    if pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(draw.choice(pids), signal.SIGKILL)
    return end(launcher)


def test_a_process_that_hangs_is_noticed_and_training_goes_on(study):
    study.descent(epochs=6)
    study.train(2)
    _, whole = study.take()
    study.change("config.yaml", launcher={"time_limit_seconds": 8})
    launcher = study.start(2)
    wait_until(lambda: study.epochs_done() > 0, "an epoch")
    stopped = children(launcher)[1]
    os.kill(stopped, signal.SIGSTOP)
    log, code = end(launcher)
    assert code == 1
    assert "train (rank 0 of 2): failed to sum over all processes: another process has not answered for" in log
    assert "launcher.time_limit_seconds" in log
    assert "goes on after the last epoch" in log
    study.change("config.yaml", launcher={"time_limit_seconds": 60})
    assert "going on after epoch" in study.train(2)
    assert study.take()[1] == whole


def test_an_error_of_one_process_ends_all_with_its_message(study):
    images = sorted((study.folder / "data/data_ingestion/train").glob("*/*.png"))
    for image in images[::3]:
        content = image.read_bytes()
        image.write_bytes(content[: len(content) // 2])
    shutil.rmtree(study.folder / "artifacts/features", ignore_errors=True)
    launcher = study.start(3)
    log, code = end(launcher)
    assert code not in (0, None)
    assert "of 3): failed to" in log
    assert "data_ingestion/train" in log
    assert not list((study.folder / "artifacts").glob("model_training/*"))


def test_another_number_of_processes_starts_over_and_says_so(study):
    study.descent(epochs=6)
    study.train(2)
    _, whole = study.take()
    launcher = study.start(3)
    wait_until(lambda: study.epochs_done() > 0, "an epoch")
    launcher.send_signal(signal.SIGTERM)
    _, code = end(launcher)
    assert code != 0
    log = study.train(2)
    assert "this run starts from its beginning: the unfinished one in" in log
    assert "is by 3 process(es) with 1 thread(s) each on cpu, this one by 2 with 1 on cpu" in log
    assert study.take()[1] == whole
    # What was begun by three is still there for three.
    assert "going on after epoch" in study.train(3)


def test_processes_that_differ_are_refused_by_what_differs(study):
    # Each process has another number of threads.
    script = study.folder / "differs.sh"
    script.write_text(
        '#!/bin/sh\nOMP_NUM_THREADS=$((OMPI_COMM_WORLD_RANK + 1)) exec "$1"\n', encoding="utf-8"
    )  # fmt: skip
    script.chmod(0o755)
    command = study.command(2)
    done = subprocess.run(
        [*command[:-1], script, command[-1]], cwd=study.folder, env=study.environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "failed to train together with rank 0: machine.threads (rank 0: 1, here: 2) differ" in done.stderr


def test_the_launcher_of_the_configuration_starts_the_processes(study):
    study.train(2)
    _, whole = study.take()
    arguments = ["--oversubscribe", "--bind-to", "none"]
    study.change("config.yaml", launcher={"program": "mpirun", "processes": 2, "arguments": arguments})
    log = study.train(0)
    assert "starting mpirun -n 2 --oversubscribe --bind-to none" in log
    assert study.take()[1] == whole
    # A flag reaches every process.
    assert "epoch 1/1" in study.train(0, "--epochs", "1")
    # A training that exists is not made again.
    assert "is trained already" not in study.train(0, "--epochs", "1")


def test_what_cannot_be_launched_is_refused_with_the_way(study, tmp_path):
    study.change("config.yaml", launcher={"program": "mpirun", "processes": 2})
    alone = tmp_path / "alone" / "train"
    alone.parent.mkdir()
    shutil.copy(study.programs / "train", alone)

    def refused(command, code, sentence):
        done = subprocess.run(
            command, cwd=study.folder, env=study.environment, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert sentence in done.stderr

    refused([alone], 2, "there is no train-mpi, beside train or on PATH; docs/scaling.md says how to build it")
    mpirun = study.command(2)[:-1]
    refused([*mpirun, alone], 1, "this train was built without MPI; docs/scaling.md says how to build one with it")
    refused([*mpirun, study.programs / "train-mpi", "--features"], 2, "--shard divides the features")
    study.change("config.yaml", launcher={"program": "none", "processes": 4})
    refused([study.programs / "train"], 2, "launcher.processes")


def test_a_solved_head_needs_no_processes(study):
    head = {"freeze": "all", "head": {"kind": "linear", "hidden_units": 0, "dropout": 0.0}}
    study.change("params.yaml", prepare_base=head)
    solve = {"folds": 2, "strengths": [0.3], "widths": [], "cuts": [["block5_pool"]]}
    study.change("params.yaml", train={"solve": solve, "descent": None})
    subprocess.run([study.programs / "prepare-base"], cwd=study.folder, check=True, capture_output=True)
    assert "start one process" in study.train(2, code=2)
    study.change("config.yaml", launcher={"program": "mpirun", "processes": 2})
    assert "the head is solved, in one process: nothing to launch" in study.train(0)


def test_train_itself_is_not_linked_to_mpi(programs):
    linked = subprocess.run(["ldd", programs / "train"], capture_output=True, text=True, check=True).stdout
    assert "libmpi" not in linked
    linked = subprocess.run(["ldd", programs / "train-mpi"], capture_output=True, text=True, check=True).stdout
    assert "libmpi" in linked
