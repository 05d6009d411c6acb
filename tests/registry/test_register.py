"""Registration and the gate, on a real server, read back through MLflow's own client."""

import json
import os
import shutil
import socket

import mlflow
import pytest
import yaml

from project import CLASSES, Project

PROMOTED, FAILED, BAD_USAGE, NOT_PROMOTED = 0, 1, 2, 3


def aliases(client, name):
    """The version that each alias points to."""
    return {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()}


def tags(client, name, version):
    return client.get_model_version(name, str(version)).tags


def logged_model(version):
    """The logged model of a version: MLflow's own store only has it in the source."""
    return mlflow.get_logged_model(version.source.removeprefix("models:/"))


def scores(project):
    return json.loads((project.evaluation / "scores.json").read_text())


def set_promotion(project, **promotion):
    path = project.folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["promotion"] |= promotion
    path.write_text(yaml.safe_dump(config))


def test_the_models_differ_in_what_they_know(good, weak):
    assert scores(good)["accuracy"] > 0.65
    assert scores(weak)["accuracy"] < 0.5


def test_the_first_model_becomes_the_champion_and_its_page_says_what_it_is(good, client):
    output, _ = good.run("register", "--name", "first")
    assert "promoted to models:/first@champion" in output
    assert "Research use only" in output
    assert aliases(client, "first") == {"champion": 1}
    version = client.get_model_version("first", "1")
    description = json.loads((good.model / "model.json").read_text())
    assert version.tags["model.digest"] == description["digests"]["weights"]
    assert version.tags["data.digest"] == description["digests"]["data"]
    assert float(version.tags["test.accuracy"]) == scores(good)["accuracy"]
    assert version.tags["promotion.outcome"] == "promoted"
    assert version.tags["worth"] == scores(good)["worth"]["in_words"]
    assert "Not a medical device" in version.description
    assert "**Promoted:** there is no champion yet" in version.description
    model = logged_model(version)
    assert model.status == "READY"
    assert model.tags["training"] == description["source"]["run"]
    signature = mlflow.models.get_model_info("models:/first@champion").signature
    assert signature.inputs.input_names() == ["image"]
    assert signature.outputs.input_names() == ["predicted", "confidence", *(f"prob_{c}" for c in CLASSES)]


def test_a_model_below_the_minimum_stays_challenger(weak, client):
    set_promotion(weak, minimum=0.6)
    output, _ = weak.run("register", "--name", "minimum", code=NOT_PROMOTED)
    assert "promotion.minimum 0.6" in output
    assert aliases(client, "minimum") == {"challenger": 1}
    assert "promotion.minimum" in tags(client, "minimum", 1)["promotion.reason"]


def test_a_better_model_takes_the_place_and_a_worse_one_does_not(good, weak, client):
    weak.run("register", "--name", "contest")
    output, _ = good.run("register", "--name", "contest")
    assert aliases(client, "contest") == {"champion": 2}
    won = tags(client, "contest", 2)
    assert won["promotion.against_version"] == "1"
    assert float(won["promotion.p_value"]) <= 0.05
    # Neither training has a copy of a test image, so all of them count.
    assert float(won["promotion.images"]) == scores(good)["images"]
    gain = scores(good)["accuracy"] - scores(weak)["accuracy"]
    assert float(won["promotion.gain"]) == pytest.approx(gain)
    assert "cannot pass" in output

    output, _ = weak.run("register", "--name", "contest", code=NOT_PROMOTED)
    assert "that is no gain" in output
    assert aliases(client, "contest") == {"champion": 2, "challenger": 3}
    # The files of version 1 are already there.
    versions = [client.get_model_version("contest", number) for number in ("1", "3")]
    assert versions[0].source == versions[1].source


def test_the_champion_registered_again_is_no_new_version(good, client):
    good.run("register", "--name", "again")
    output, _ = good.run("register", "--name", "again")
    assert "nothing to do" in output
    assert len(client.search_model_versions("name = 'again'")) == 1


@pytest.mark.parametrize("test", ["paired_bootstrap", "mcnemar"])
def test_a_gain_that_is_asked_to_be_larger_is_not_enough(good, weak, client, test):
    name = f"large gain {test}"
    weak.run("register", "--name", name)
    set_promotion(good, min_gain=0.9, test=test)
    output, _ = good.run("register", "--name", name, code=NOT_PROMOTED)
    assert "promotion.min_gain 0.9" in output
    assert aliases(client, name) == {"champion": 1, "challenger": 2}


def test_the_same_gate_stands_without_a_server(good, weak, tmp_path):
    nobody = {"server": "http://127.0.0.1:1"}
    weak.run("register", "--keep", tmp_path / "kept weak", **nobody)
    output, _ = good.run("register", "--against", tmp_path / "kept weak", **nobody)
    assert "the model passes" in output
    assert "of the present model, on the same" in output

    good.run("register", "--keep", tmp_path / "kept good", **nobody)
    output, _ = weak.run("register", "--against", tmp_path / "kept good", code=NOT_PROMOTED, **nobody)
    assert "the model does not pass" in output
    assert "that is no gain" in output
    # A folder with other content is not changed.
    _, log = good.run("register", "--keep", good.folder, code=1, **nobody)
    assert "digests.json" in log


def test_two_registrations_at_once_end_with_the_better_champion(good, weak, client):
    processes = [project.start("register", "--name", "race") for project in (weak, good)]
    outputs = [(*process.communicate(), process.returncode) for process in processes]
    assert all(code in (PROMOTED, NOT_PROMOTED) for *_, code in outputs), outputs
    best = json.loads((good.model / "model.json").read_text())["digests"]["weights"]
    champion = client.get_model_version_by_alias("race", "champion")
    assert champion.tags["model.digest"] == best
    # The second one had to beat the first: only one became champion without a rival.
    assert "promotion.against_version" not in tags(client, "race", 1)
    assert tags(client, "race", 2)["promotion.against_version"] == "1"
    assert outputs[1][2] == PROMOTED


def test_a_registration_that_died_is_given_up(good, client):
    client.create_registered_model("dead")
    model = mlflow.initialize_logged_model(name="dead", experiment_id="0")
    client.create_model_version(
        "dead", f"models:/{model.model_id}", model_id=model.model_id, tags={"promotion.outcome": "pending"}
    )
    _, log = good.run("register", "--name", "dead", "--patience", "10")
    assert "version 1 was not decided" in log
    assert tags(client, "dead", 1)["promotion.outcome"] == "abandoned"
    assert aliases(client, "dead") == {"champion": 2}


def test_a_champion_of_other_classes_is_not_compared(good, programs, server, client, tmp_path):
    classes = {"cancer": [name for name in CLASSES if name != "normal"], "normal": ["normal"]}
    other = Project(programs, tmp_path / "two", server, tmp_path / "two", classes=classes)
    for program in ["ingest", "validate"]:
        other.run(program)
    other.make_model().run("register", "--name", "classes")
    _, log = good.run("register", "--name", "classes", code=FAILED)
    assert "its classes are cancer, normal" in log
    assert "--name" in log
    assert aliases(client, "classes") == {"champion": 1}
    assert tags(client, "classes", 2)["promotion.outcome"] == "failed"


def test_a_champion_of_another_tool_is_named(good, client):
    client.create_registered_model("foreign")
    model = mlflow.initialize_logged_model(name="foreign", experiment_id="0")
    client.create_model_version("foreign", f"models:/{model.model_id}", model_id=model.model_id)
    client.set_registered_model_alias("foreign", "champion", "1")
    _, log = good.run("register", "--name", "foreign", code=FAILED)
    assert "foreign version 1" in log
    assert "hounsfield.digests" in log
    assert aliases(client, "foreign") == {"champion": 1}


def test_scores_of_another_model_are_refused(good, weak, client):
    shutil.copy(weak.evaluation / "scores.json", good.evaluation / "scores.json")
    _, log = good.run("register", "--name", "scores", code=FAILED)
    assert "scores.json is of another model" in log
    assert "run evaluate first" in log
    assert client.search_model_versions("name = 'scores'") == []


def test_a_server_that_is_down_is_one_line(good):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    output, log = good.run("register", code=FAILED, server=address)
    assert output == ""
    assert log.count("\n") == 1
    assert address in log


def test_bad_usage_is_told_from_failure(good):
    good.run("register", "--patience", "1", code=BAD_USAGE)
    good.run("register", "--name", "a/b", code=BAD_USAGE)
    set_promotion(good, test="mcnemar", metric="auroc")
    _, log = good.run("register", code=BAD_USAGE)
    assert "promotion.test" in log


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_model_that_cannot_be_read_is_named(good):
    (good.model / "model.json").chmod(0)
    _, log = good.run("register", "--name", "unreadable", code=FAILED)
    assert "model.json" in log
