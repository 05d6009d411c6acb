"""`hounsfield search` on a small study: the same trials however often it is stopped, workers that share them, and the
honest end."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter

import optuna
import pytest
import yaml

from hounsfield.search.space import Reader, SearchError
from mlflow_server import MlflowServer
from postgres import Postgres

TRIALS = 14
SPACE = {
    "trials": TRIALS,
    "seed": 3,
    "space": {
        "prepare_base.head.kind": ["linear", "kernel"],
        "train.solve.strengths": {"low": 0.01, "high": 100.0},
        "train.solve.widths": {"low": 0.5, "high": 8.0},
        "train.solve.cuts": [["block4_pool"], ["block3_pool", "block4_pool", "block5_pool"]],
        "train.class_weights": ["none", "balanced"],
    },
}


def started(study, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "hounsfield.search", *arguments],
        cwd=study.path,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def searched(study, *arguments, **environment):
    """The report, and what was printed, of a search that ends by itself."""
    out, log = started(study, *arguments, **environment).communicate()
    assert "flatter" in out, log
    return json.loads((study.path / "artifacts/search/report.json").read_text()), out


def write(study, space=SPACE):
    (study.path / "search.yaml").write_text(yaml.safe_dump(space), encoding="utf-8")


def table(study):
    with (study.path / "artifacts/search/trials.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    """A search that nobody stopped: its report, what it printed, its trials."""
    import shutil  # noqa: PLC0415

    import hounsfield  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("whole") / "study"
    shutil.copytree(made.path, folder, symlinks=True)
    study = hounsfield.Study(folder)
    write(study)
    report, out = searched(study)
    return report, out, table(study), study


def test_a_search_says_what_its_best_is_worth(whole):
    report, out, rows, study = whole
    assert report["trials"] == TRIALS
    assert len(rows) + report["stopped_early"] == TRIALS
    assert report["best"]["log_loss"] == min(float(row["log_loss"]) for row in rows)
    assert report["nested"]["log_loss"] > 0
    assert "chosen and scored on different images (nested cross-validation)" in out
    assert "dvc exp run -S" in out
    for picture in ("history.png", "values.png"):
        assert (study.path / "artifacts/search" / picture).read_bytes().startswith(b"\x89PNG")


def test_where_nothing_can_be_learnt_the_nested_score_says_so(copy):
    """The control: with shuffled labels the best of many looks better than chance, and the nested score does not."""
    path = copy.path / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["train"]["permute_labels"] = True
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    write(copy, SPACE | {"objective": "accuracy"})
    report, _ = searched(copy)
    images, chance = report["best"]["images"], 0.25
    assert report["nested"]["accuracy"] < chance + 3 * (chance * (1 - chance) / images) ** 0.5
    assert report["best"]["accuracy"] > report["nested"]["accuracy"]


def test_the_best_trial_is_what_train_finds(whole, copy):
    """The score is that of `train` with these parameters: nothing is scored in another way."""
    report, _, _, _ = whole
    params = yaml.safe_load((copy.path / "params.yaml").read_text())
    for key, value in report["best"]["values"].items():
        *sections, last = key.split(".")
        section = params
        for name in sections:
            section = section[name]
        section[last] = value
    (copy.path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for program in ("prepare-base", "train"):
        subprocess.run(["hounsfield", program, "--quiet"], cwd=copy.path, check=True, capture_output=True)
    newest = max((copy.path / "artifacts/model_training").glob("Checkpoint_*"), key=lambda it: it.stat().st_mtime_ns)
    checkpoint = next(newest.glob("*.safetensors")).read_bytes()
    header = json.loads(checkpoint[8 : 8 + int.from_bytes(checkpoint[:8], "little")])
    solved = json.loads(header["__metadata__"]["hounsfield"])["solved"]["search"]
    found = solved["candidates"][solved["chosen"]]
    assert found["log_loss"] == pytest.approx(report["best"]["log_loss"], abs=1e-9)
    assert found["accuracy"] == report["best"]["accuracy"]


def test_killed_twice_it_ends_with_the_same_trials(whole, copy):
    write(copy)
    for stop in (3, 8):
        search = started(copy)
        for line in search.stderr:
            if f", {stop} of {TRIALS}:" in line:
                os.killpg(search.pid, signal.SIGKILL)
                break
        search.communicate()
    report, _ = searched(copy)
    expected, _, rows, _ = whole
    assert {**report["best"], "trial": 0} == {**expected["best"], "trial": 0}
    assert report["nested"] == expected["nested"]
    found = table(copy)
    # Trials that were stopped keep their numbers.
    assert [{**row, "trial": 0} for row in found] == [{**row, "trial": 0} for row in rows]


def test_a_search_that_is_told_to_stop_says_that_it_goes_on(copy):
    write(copy)
    search = started(copy)
    for line in search.stderr:
        if ", 1 of" in line:
            search.terminate()
            break
    _, log = search.communicate()
    assert search.returncode == 130, log
    assert "the same command goes on" in log


def test_two_workers_share_the_trials_of_a_database(copy):
    postgres = Postgres()
    try:
        address = f"postgresql+psycopg://hounsfield@/postgres?host={postgres.folder}"
        write(copy)
        # Each as on a machine of its own; one of them reports first.
        both = [started(copy, "--storage", address) for _ in range(2)]
        logs = [worker.communicate()[1] for worker in both]
        assert [worker.returncode for worker in both] == [0, 0], logs
        own = [[line.split(",")[0] for line in log.splitlines() if line.startswith("trial ")] for log in logs]
        assert all(own), "both worked"
        assert not set(own[0]) & set(own[1]), "no trial was run by both"
        names = optuna.get_all_study_names(address)
        trials = optuna.load_study(study_name=names[0], storage=address).get_trials()
        states = Counter(trial.state.name for trial in trials)
        assert len(names) == 1
        assert states["COMPLETE"] + states["PRUNED"] == TRIALS, states
    finally:
        postgres.remove()


def test_other_bases_are_prepared_and_searched_with_their_own_cut_points(copy):
    space = {
        "trials": 4,
        "nested": False,
        "space": {
            "prepare_base.architecture": ["vgg16", "resnet18"],
            "train.solve.strengths": {"low": 0.1, "high": 10.0},
            "train.solve.cuts": {"vgg16": [["block4_pool"]], "resnet18": [["layer3"], ["layer2", "layer3"]]},
        },
    }
    write(copy, space)
    out, log = started(copy).communicate()
    assert "train it: dvc exp run -S 'prepare_base.architecture=" in out, log
    assert {row["prepare_base.architecture"] for row in table(copy)} == {'"vgg16"', '"resnet18"'}
    assert "by how much was not measured" in out


def test_mlflow_has_a_run_for_each_trial(copy, tmp_path):
    server = MlflowServer(tmp_path)
    try:
        write(copy, SPACE | {"trials": 3, "nested": False})
        out, log = started(copy, MLFLOW_TRACKING_URI=server.address).communicate()
        assert "best of 3 trials" in out, log
        import mlflow  # noqa: PLC0415

        client = mlflow.MlflowClient(server.address)
        experiment = client.get_experiment_by_name("hounsfield-search").experiment_id
        runs = client.search_runs([experiment])
        children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
        assert len(children) == 3
        assert len(runs) == 4
        parent = next(run for run in runs if run not in children)
        assert parent.data.metrics["best_log_loss"] == min(run.data.metrics["log_loss"] for run in children)
        assert "history.png" in {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trials": 0, "space": SPACE["space"]}, "trials is 0; expected a number of trials, 1 or more"),
        ({"trails": 3, "space": SPACE["space"]}, "trails is 3; expected no such key"),
        ({"space": {}}, "space is {}; expected keys of params.yaml"),
        ({"objective": "test_accuracy", "space": SPACE["space"]}, "expected one of log_loss, accuracy, auroc"),
        ({"space": {"train.descent.learning_rate": [0.1]}}, "queue other keys with dvc exp run --queue -S"),
        ({"space": {"train.solve.strengths": {"low": 10, "high": 1}}}, "above 0 and ascending"),
        ({"space": {"train.solve.strengths": {"low": 1, "hihg": 2}}}, "['hihg']; expected low, high and log"),
        ({"space": {"train.solve.cuts": ["block4_pool"]}}, "expected sets of cut points"),
        ({"space": {"train.class_weights": ["none", "none"]}}, "each choice once"),
        ({"space": {"prepare_base.architecture": ["resnet18"]}}, "has no sets for resnet18"),
        ({"space": {"train.solve.cuts": {"vgg16": [["block4_pool"]]}}}, "prepare_base.architecture is not searched"),
    ],
)
def test_a_wrong_space_is_refused_with_file_and_key(tmp_path, wrong, said):
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(wrong), encoding="utf-8")
    with pytest.raises(SearchError) as refused:
        Reader(path).read()
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_what_the_programs_refuse_is_told_with_the_trial(copy):
    write(copy, {"trials": 2, "space": {"train.solve.cuts": [["block9_pool"]]}})
    search = started(copy)
    _, log = search.communicate()
    assert search.returncode == 1, log
    assert "block9_pool" in log
    assert "block5_pool" in log


def test_the_command_of_the_tool_is_the_same(copy):
    done = subprocess.run(
        ["hounsfield", "search", "--help"], cwd=copy.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "hounsfield search --workers 2" in done.stdout
    without = subprocess.run(["hounsfield", "search"], cwd=copy.path, capture_output=True, text=True, check=False)
    assert (without.returncode, without.stderr) == (1, "hounsfield: failed to read search.yaml: no such file\n")
