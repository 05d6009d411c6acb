"""The whole loop: a model is served, people correct it on the page, Airflow trains again, and the running servers
answer with the new model. With two servers on PostgreSQL, and the real MLflow, Chromium, Airflow and DVC.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_whole_loop.py
HOUNSFIELD_PROGRAMS is a folder of programs built already. HOUNSFIELD_PICTURES is a folder that the pictures of
docs/loop.md go to: HOUNSFIELD_PICTURES=docs draws them again.

The first model learnt from twelve scans, and is wrong more often than not. Nothing changes between the two trainings
but the corrections, so that what the second model is better by, people taught it.
"""

import hashlib
import json
import subprocess
import urllib.request

import pytest
from playwright.sync_api import expect

from airflow_study import champion, changed, environment, make_keys, make_study, served
from airflow_world import small_world
from headless_chromium import chromium
from loop_pictures import Pictures
from monitoring_programs import wait_until
from postgres import Postgres
from reading_person import reader

# serve.retrain_after is 50 where config.yaml does not say otherwise.
ENOUGH = 50
FOLLOWED_IN_SECONDS = 60
SERVER = {
    "follow": {"poll_seconds": 1},
    "training": "off",
    "store_images": "feedback",
    "limits": {"requests_per_minute": 0},
}


def small_study(folder):
    """A study with few scans to learn from, and many to test with."""
    study = make_study(folder)

    def few(params):
        params["ingest"]["split"] = {"train": 0.1, "valid": 0.1, "test": 0.8}
        params["train"]["permute_labels"] = False

    changed(study / "params.yaml", few)
    return study


def repro(study):
    subprocess.run(["dvc", "repro", "--quiet"], cwd=study, env=environment(), check=True)


def register(world):
    command = ["hounsfield", "register", "--json"]
    done = subprocess.run(
        command, cwd=world.study.folder, env=environment(world.mlflow), check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.fixture
def world(tmp_path):
    """A study whose first model is the champion, which the test's servers serve."""
    with small_world(tmp_path / "world", small_study, fresh=100, meanwhile=repro) as world:
        assert register(world)["outcome"] == "promoted"
        yield world


@pytest.fixture
def servers(world, tmp_path):
    """Two servers, as on two machines: they share the registry, the database, the kept images and the keys, and nothing
    else."""
    postgres = Postgres()
    try:
        keys = make_keys(world.study.folder)
        settings = {"database": postgres.url, "image_store": str(tmp_path / "images"), **SERVER}
        study, mlflow = world.study.folder, world.mlflow
        with (
            served(study, tmp_path / "one", mlflow, keys, **settings) as one,
            served(study, tmp_path / "two", mlflow, keys, **settings) as two,
        ):
            yield one, two
    finally:
        postgres.remove()


def since_training(server):
    return server.request("/v1/feedback/summary")["since_training"]


def metrics(server):
    with urllib.request.urlopen(f"{server.address}/metrics") as answer:
        return answer.read().decode()


def accuracy(world):
    return world.study.result("artifacts/evaluation/scores.json")["accuracy"]


def digests(scans):
    return {scan.parent.name + "/" + hashlib.sha256(scan.read_bytes()).hexdigest() for scan in scans}


def test_from_corrections_on_the_page_to_a_new_model_on_every_server(world, servers):
    study, (one, two), pictures = world.study, servers, Pictures()
    first_weights, first_accuracy = study.weights(), accuracy(world)
    assert champion(world.mlflow) == "1"
    for server in servers:
        served_model = server.request("/v1/model")
        assert (served_model["version"], served_model["digest"]) == ("1", first_weights)

    with chromium() as browser:
        with reader(browser, one.address, one.review_key) as person:
            corrected = correct_until_a_training_is_due(world, servers, person, pictures)

            run = world.retrain(two)
            assert run.code == 0, run.log
            assert set(run.states.values()) == {"success"}, run.states
            assert f"{ENOUGH + 1} corrections wait; a training begins above {ENOUGH}" in run.log

            # The training took the very images that were corrected on the page, with the class they were given.
            in_study = {f"{file.parent.name}/{file.stem}": file for file in study.corrections_folder().glob("*/*.png")}
            assert in_study.keys() == digests(corrected)
            assert digests(in_study.values()) == digests(corrected)
            assert "Running stage 'train'" in run.log
            taken = study.result("artifacts/data_ingestion/report.json")["corrections"]
            assert len(taken["added"]) == ENOUGH + 1

            # It made a better model, which the gate let pass.
            registered = study.registered()
            assert (registered["outcome"], registered["version"]) == ("promoted", 2)
            assert "difference +" in registered["reason"]
            assert accuracy(world) > first_accuracy
            assert study.weights() != first_weights
            assert champion(world.mlflow) == "2"

            both_answer_with_the_new_model(servers, study.weights(), corrected[0])

            # Those corrections wait no longer, on either server.
            for server in servers:
                waiting = since_training(server)
                assert (waiting["corrections"], waiting["due"]) == (0, False)
            person.page.reload()
            person.goes_to("dashboard", "Dashboard")
            expect(person.page.locator(".corrections .big")).to_have_text("0")
            person.goes_to("model", "Model")
            expect(person.page.locator(".model-card")).to_contain_text("lungs, version 2")
            pictures.take(person.page, "loop-served", ".model-card .columns, .model-card > section:nth-of-type(1)")

        a_correction_needs_the_server_that_predicted(one, two, world.scans["normal"][-1])
        (mail,) = run.mails
        assert mail.to == "ada@example.org"
        assert mail.subject == "Hounsfield: lungs was retrained, version 2 is the new champion"
        assert f"Corrections: {ENOUGH + 1}. New training images: {ENOUGH + 1};" in mail.text
        assert f"Accuracy {accuracy(world):.3f} on 96 test images." in mail.text
        assert f"{two.address} serves it." in mail.text
        pictures.take_mail(browser, mail)
        pictures.take_airflow(browser, world.airflow)


def correct_until_a_training_is_due(world, servers, person, pictures):
    """The person corrects one server; the other knows. The scans that the model had wrong."""
    # Of each class in turn.
    scans = [scan for group in zip(*(world.scans[name] for name in sorted(world.scans)), strict=True) for scan in group]

    def first_correction():
        pictures.take(person.page, "loop-correct")

    corrected = person.corrects(scans, ENOUGH, first_correction)
    for server in servers:
        waiting = since_training(server)
        assert (waiting["corrections"], waiting["threshold"], waiting["due"]) == (ENOUGH, ENOUGH, False)
    left = scans[scans.index(corrected[-1]) + 1 :]
    corrected += person.corrects(left, 1)
    for server in servers:
        waiting = since_training(server)
        assert (waiting["corrections"], waiting["without_image"], waiting["due"]) == (ENOUGH + 1, 0, True)
    person.goes_to("dashboard", "Dashboard")
    panel = person.page.locator(".corrections")
    expect(panel.locator(".big")).to_have_text(str(ENOUGH + 1))
    expect(panel).to_contain_text("There are enough.")
    pictures.take(person.page, "loop-due", ".corrections")
    return corrected


def a_correction_needs_the_server_that_predicted(one, two, scan):
    """With store_images: feedback a scan waits in the memory of that server. Nobody has judged this one."""
    prediction = one.predict(scan)
    other = next(it["class"] for it in prediction["probabilities"] if it["class"] != prediction["class"])
    assert not two.judge(prediction, other)["trains"]
    assert one.judge(prediction, other)["trains"]


def both_answer_with_the_new_model(servers, weights, scan):
    """The servers that were started at the beginning, without a restart."""
    for server in servers:
        wait_until(
            lambda server=server: server.request("/v1/model")["version"] == "2",
            f"{server.address} goes on with the model before",
            FOLLOWED_IN_SECONDS,
        )
        answered_by = server.predict(scan)["model"]
        assert (answered_by["version"], answered_by["digest"]) == ("2", weights)
        assert "hounsfield_model_swaps_total 1\n" in metrics(server)
        assert "hounsfield_champion_served 1\n" in metrics(server)
