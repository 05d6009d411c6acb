"""Both DAGs of deploy/airflow, run to their ends in every branch: with the real Airflow, `dvc repro`, MLflow server,
prediction server and SMTP server.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_airflow.py
HOUNSFIELD_PROGRAMS is a folder of programs built already, HOUNSFIELD_AIRFLOW another environment with Airflow.

One study goes from state to state, as it would in a hospital: it is built, corrected too seldom, corrected often
enough, and corrected badly. Each fixture is a state, with what the DAG that led to it did.
"""

import re
import shutil
import time
from dataclasses import dataclass, replace
from urllib.error import HTTPError

import pytest

from airflow_runs import Run
from airflow_study import Person, champion, changed, let_it_learn, served
from airflow_world import World, small_world
from hounsfield_dags import corrections
from hounsfield_dags.server import Server, ServerFailed
from hounsfield_dags.study import Study, StudyUnusable
from mlflow_server import free_port

NOTICE = "Research use only. Not a medical device."
# serve.retrain_after of the tests: the next correction starts a training.
ENOUGH = 2


@dataclass
class State:
    """The world after a DAG run, and the server in it."""

    world: World
    person: Person
    run: Run

    @property
    def server(self):
        return Server(self.person.address, self.person.key)

    def retrain(self, conf=None):
        return State(self.world, self.person, self.world.retrain(self.person, conf))

    def correct(self, count):
        """A person gives so many scans, which the study has not, another class."""
        for _ in range(count):
            kind = max(self.world.scans, key=lambda name: len(self.world.scans[name]))
            self.person.correct(self.world.scans[kind].pop())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A study, and the servers around it."""
    with small_world(tmp_path_factory.mktemp("airflow")) as world:
        yield world


@pytest.fixture(scope="module")
def built(world):
    """The study was built, on labels from which nothing can be learnt."""
    return world.airflow.run("hounsfield_build")


@pytest.fixture(scope="module")
def corrected_seldom(world, built, tmp_path_factory):
    """The model of the build is served, and somebody corrected it, but not often enough."""
    assert built.code == 0, built.log
    folder = tmp_path_factory.mktemp("server") / "served"
    settings = {
        "follow": {"poll_seconds": 1},
        "training": "off",
        "retrain_after": ENOUGH,
        "limits": {"requests_per_minute": 240},
    }
    with served(world.study.folder, folder, world.mlflow, **settings) as person:
        state = State(world, person, built)
        state.correct(ENOUGH)
        yield state.retrain()


@pytest.fixture(scope="module")
def promoted(corrected_seldom):
    """One correction more, and labels from which something can be learnt."""
    corrected_seldom.correct(1)
    let_it_learn(corrected_seldom.world.study.folder)
    return corrected_seldom.retrain()


@pytest.fixture(scope="module")
def not_promoted(promoted):
    """The good model was corrected, which made none better."""
    promoted.correct(ENOUGH + 1)
    return promoted.retrain()


def test_a_build_goes_from_the_scans_to_a_champion_and_a_mail(world, built):
    assert built.code == 0, built.log
    order = ["check_configuration", "check_source", "ingest", "validate", "train", "evaluate", "register", "mail"]
    assert built.states == dict.fromkeys(order, "success")
    started = [built.log.index(f"starting task_id={task}") for task in order]
    assert started == sorted(started)
    # Each task ran its own stages.
    for stage, task, next_task in [
        ("ingest", "ingest", "validate"), ("validate", "validate", "train"), ("train", "train", "evaluate"),
        ("calibrate", "train", "evaluate"), ("evaluate", "evaluate", "register"),
    ]:  # fmt: skip
        during = built.log.index(f"Running stage '{stage}'")
        assert built.log.index(f"starting task_id={task}") < during < built.log.index(f"starting task_id={next_task}")
    assert champion(world.mlflow) == "1"
    (mail,) = built.mails
    assert mail.to == "ada@example.org"
    assert mail.subject == "Hounsfield: lungs was built, version 1 is the new champion"
    assert "there is no champion yet" in mail.text
    assert "Scans: 120; in use" in mail.text
    assert re.search(r"Accuracy 0\.\d{3} on 48 test images\.", mail.text)
    assert NOTICE in mail.text


def test_too_few_corrections_end_a_retraining_before_it_begins(corrected_seldom):
    run = corrected_seldom.run
    assert run.code == 0, run.log
    assert f"{ENOUGH} corrections wait; a training begins above {ENOUGH}" in run.log
    assert run.states.pop("enough_corrections") == "success"
    assert set(run.states.values()) == {"skipped"}
    assert run.mails == []


def test_enough_corrections_are_merged_trained_registered_and_served(promoted):
    run = promoted.run
    assert run.code == 0, run.log
    order = ["enough_corrections", "fetch_corrections", "repro", "register", "remember", "deployed", "mail"]
    assert run.states == dict.fromkeys(order, "success")
    assert "Running stage 'ingest'" in run.log
    assert champion(promoted.world.mlflow) == "2"
    assert promoted.person.request("/v1/model")["version"] == "2"
    (mail,) = run.mails
    assert mail.subject == "Hounsfield: lungs was retrained, version 2 is the new champion"
    assert "of the champion, version 1, on the same" in mail.text
    assert f"Corrections: {ENOUGH + 1}. New training images: {ENOUGH + 1};" in mail.text
    assert f"{promoted.person.address} serves it." in mail.text
    assert NOTICE in mail.text


def test_a_model_that_does_not_pass_the_gate_is_not_deployed_and_the_mail_says_why(not_promoted):
    run = not_promoted.run
    assert run.code == 0, run.log
    assert {task for task, state in run.states.items() if state == "skipped"} == {"register", "deployed"}
    assert run.states["remember"] == run.states["mail"] == "success"
    assert champion(not_promoted.world.mlflow) == "2"
    assert not_promoted.person.request("/v1/model")["version"] == "2"
    (mail,) = run.mails
    assert mail.subject == "Hounsfield: lungs was retrained, version 3 was not promoted"
    assert re.search("that is no gain|that could be chance", mail.text)
    assert f"Corrections: {2 * (ENOUGH + 1)}." in mail.text
    assert "The server keeps the model that it had." in mail.text


def test_corrections_that_a_training_took_do_not_wait_any_more(not_promoted):
    assert corrections.waiting(not_promoted.world.study, not_promoted.server) == set()
    on_the_server = not_promoted.person.request("/v1/feedback/summary")["since_training"]
    assert on_the_server["corrections"] == 0


def test_one_run_at_a_time(not_promoted):
    assert not_promoted.world.airflow.runs_at_a_time() == {"hounsfield_build": 1, "hounsfield_retrain": 1}


def test_a_build_whose_model_does_not_pass_the_gate_says_so(not_promoted):
    run = not_promoted.world.airflow.run("hounsfield_build")
    assert run.code == 0, run.log
    assert {task for task, state in run.states.items() if state == "skipped"} == {"register"}
    assert "Running stage 'train'" not in run.log
    (mail,) = run.mails
    assert mail.subject == "Hounsfield: lungs was built, version 4 was not promoted"


def test_a_build_without_its_scans_fails_with_a_mail(world, tmp_path):
    study = copied(world, tmp_path / "lungs")
    source = {"kind": "local", "path": "data"}
    changed(study.folder / "config.yaml", lambda config: config["data"].update(source=source))
    run = world.airflow.run("hounsfield_build", AIRFLOW_VAR_HOUNSFIELD_STUDY=str(study.folder))
    failed_in(run, "check_source")
    assert "data is missing or empty, which data.source.path in config.yaml names" in run.mails[0].text


def test_a_retraining_without_its_server_fails_with_a_mail(world):
    nobody = Person(f"http://127.0.0.1:{free_port()}", "hk_key")
    run = State(world, nobody, None).retrain().run
    failed_in(run, "enough_corrections")
    assert f"{nobody.address}/v1/feedback/summary cannot be reached" in run.mails[0].text


def test_a_retraining_whose_stage_fails_sends_a_mail_and_forgets_no_correction(not_promoted, tmp_path):
    study = copied(not_promoted.world, tmp_path / "lungs")
    changed(study.folder / "params.yaml", lambda params: params["train"]["solve"].update(folds=1))
    before = corrections.waiting(study, not_promoted.server)
    not_promoted.correct(1)
    waiting = corrections.waiting(study, not_promoted.server)
    assert len(waiting) == len(before) + 1
    elsewhere = State(replace(not_promoted.world, study=study), not_promoted.person, None)
    failed_in(elsewhere.retrain({"corrections_above": 0}).run, "repro")
    # Its image is there, but no training took it.
    assert waiting < corrections.in_study(study).keys()
    assert corrections.waiting(study, not_promoted.server) == waiting


def test_the_last_word_about_an_image_counts(not_promoted, tmp_path):
    study, server, person = empty(not_promoted.world, tmp_path), not_promoted.server, not_promoted.person
    before = corrections.fetch(study, server)
    scan = not_promoted.world.scans["normal"].pop()
    prediction = person.predict(scan)
    first, second = [it["class"] for it in prediction["probabilities"] if it["class"] != prediction["class"]][:2]
    digest = prediction["image"]["sha256"]

    def found():
        return [it.class_name for it in corrections.in_study(study) if it.image_sha256 == digest]

    person.judge(prediction, first)
    assert corrections.fetch(study, server) == corrections.Fetched(new=1, removed=0, all=before.all + 1)
    assert found() == [first]
    assert (study.corrections_folder() / first / f"{digest}.png").read_bytes() == scan.read_bytes()
    person.judge(prediction, second)
    assert corrections.fetch(study, server) == corrections.Fetched(new=1, removed=1, all=before.all + 1)
    assert found() == [second]
    # The same image again: nothing is fetched twice.
    again = person.predict(scan)
    person.judge(again, second)
    assert corrections.fetch(study, server) == corrections.Fetched(new=0, removed=0, all=before.all + 1)
    # Both predictions were right after all.
    for it in (prediction, again):
        person.judge(it, it["class"])
    assert corrections.fetch(study, server) == corrections.Fetched(new=0, removed=1, all=before.all)
    assert found() == []


def test_corrections_come_in_pages(not_promoted, monkeypatch):
    whole = list(not_promoted.server.judgements())
    assert len(whole) > 2 * ENOUGH
    monkeypatch.setattr("hounsfield_dags.server.PAGE_ROWS", 2)
    assert list(not_promoted.server.judgements()) == whole


def test_a_class_that_the_study_has_not_is_refused(not_promoted, tmp_path):
    study = empty(not_promoted.world, tmp_path)
    changed(study.folder / "config.yaml", lambda config: config["data"].update(classes={"benign": ["benign"]}))
    with pytest.raises(StudyUnusable, match=r"is no class of data\.classes"):
        corrections.fetch(study, not_promoted.server)
    assert corrections.in_study(study) == {}


def test_a_key_that_may_not_report_trainings_is_enough_for_all_the_rest(not_promoted, tmp_path, caplog):
    study = copied(not_promoted.world, tmp_path / "lungs")
    reviewer = Server(not_promoted.person.address, not_promoted.person.review_key)
    not_promoted.correct(1)
    corrections.fetch(study, reviewer)
    assert corrections.waiting(study, reviewer) != set()
    corrections.remember(study, reviewer)
    assert corrections.waiting(study, reviewer) == set()
    assert "the server goes on counting these corrections as waiting" in caplog.text
    assert "answered 403" in caplog.text


def test_a_server_that_is_asked_too_often_is_waited_for(not_promoted):
    person, reviewer = not_promoted.person, Server(not_promoted.person.address, not_promoted.person.review_key)

    def ask_for_ever():
        while True:
            Person(person.address, person.review_key).request("/v1/session")

    with pytest.raises(HTTPError, match="429"):
        ask_for_ever()
    asked = time.monotonic()
    assert reviewer.retrain_after() == ENOUGH
    assert time.monotonic() - asked > 0.5


def test_a_wrong_key_is_said(corrected_seldom):
    with pytest.raises(ServerFailed, match="answered 401"):
        Server(corrected_seldom.person.address, "hk_wrong").retrain_after()
    with pytest.raises(ServerFailed, match="characters that no key has"):
        Server(corrected_seldom.person.address, "hk_…")


def test_a_server_that_goes_on_serving_another_model_is_said(corrected_seldom):
    with pytest.raises(ServerFailed, match=r"does its config\.yaml have serve\.follow"):
        corrected_seldom.server.wait_until_it_serves("0" * 64, within_seconds=0)


def failed_in(run, task):
    """One task failed, nothing ran after it, and one mail says so."""
    assert run.code == 1, run.log
    assert [name for name, state in run.states.items() if state == "failed"] == [task]
    assert run.states["mail"] == "upstream_failed"
    (mail,) = run.mails
    assert mail.to == "ada@example.org"
    assert mail.subject.startswith("Hounsfield: hounsfield_")
    assert mail.subject.endswith(f" failed in {task}")


def copied(world, folder):
    """The same study at another place."""
    shutil.copytree(world.study.folder, folder, symlinks=True)
    return Study(folder)


def empty(world, folder):
    """The same study, before anything was corrected."""
    for file in ["config.yaml", "dvc.yaml"]:
        shutil.copy(world.study.folder / file, folder)
    return Study(folder)
