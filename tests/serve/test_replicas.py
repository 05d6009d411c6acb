"""Two servers for one model: PostgreSQL, a registry, and outages of both.

HOUNSFIELD_PROMOTIONS (6) and HOUNSFIELD_OUTAGE_SECONDS (4) make the tests as long as wanted. With `pytest -s` they
print their counts.
"""

import json
import os
import shutil
import subprocess
import threading
import time
import urllib.request
from collections import Counter

import mlflow
import pytest

from built_programs import programs
from mlflow_server import MlflowServer
from postgres import Postgres
from project import STAGES, Project
from test_faults import Started, ask

NAME = "replicated"
PROMOTIONS = int(os.environ.get("HOUNSFIELD_PROMOTIONS", "6"))
OUTAGE_SECONDS = float(os.environ.get("HOUNSFIELD_OUTAGE_SECONDS", "4"))
FOLLOWED_IN_SECONDS = 10
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    server = MlflowServer(tmp_path_factory.mktemp("registry"))
    yield server
    server.stop()


def run(project, program, *arguments, tracking=None):
    environment = os.environ | ({"MLFLOW_TRACKING_URI": tracking} if tracking else {})
    done = subprocess.run(
        [programs() / program, *arguments],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 3), f"{program} ended with {done.returncode}:\n{done.stderr}"


@pytest.fixture(scope="module")
def versions(made, registry, tmp_path_factory):
    """Two registered versions with different weights, by number; the first is the champion."""
    first = made.configured(tmp_path_factory.mktemp("first"))
    second = made.configured(tmp_path_factory.mktemp("second"))
    params = (second.folder / "params.yaml").read_text(encoding="utf-8")
    changed = params.replace("permute_labels: false", "permute_labels: true")
    assert changed != params
    (second.folder / "params.yaml").write_text(changed, encoding="utf-8")
    # Else select would choose between both trainings.
    shutil.rmtree(second.folder / "artifacts" / "model_training")
    for stage in STAGES[STAGES.index("train") :]:
        run(second, stage)
    for project in (first, second):
        run(project, "register", "--name", NAME, tracking=registry.address)
    client = mlflow.MlflowClient(registry.address)
    found = {int(version.version) for version in client.search_model_versions(f"name = '{NAME}'")}
    assert found == {1, 2}
    client.set_registered_model_alias(NAME, "champion", "1")
    return client


@pytest.fixture
def database():
    postgres = Postgres()
    yield postgres
    postgres.remove()


@pytest.fixture
def replicas(made, versions, registry, database, tmp_path):
    """Two servers that follow the registry and share the database."""
    versions.set_registered_model_alias(NAME, "champion", "1")
    servers = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        project = made.configured(
            folder, follow={"poll_seconds": 1}, training="off", store="best_effort", limits={"requests_per_minute": 0}
        )
        config = (folder / "config.yaml").read_text(encoding="utf-8")
        (folder / "config.yaml").write_text(f"{config}\nregistry: {{model: {NAME}}}\n", encoding="utf-8")
        servers.append(started(project.folder, registry, database))
    yield servers
    for server in servers:
        server.stop()


def started(folder, registry, database):
    environment = os.environ | {"MLFLOW_TRACKING_URI": registry.address, "DATABASE_URL": database.url}
    with (folder / "serve.log").open("a", encoding="utf-8") as log:
        return Started(Project(folder), stderr=log, env=environment)


def version_of(server):
    status, answer = ask(server, "/v1/model")
    assert status == 200, answer
    return int(answer["version"])


def wait_until(what, is_so, seconds=PATIENCE_SECONDS):
    """Waits, and returns how long it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, what
        time.sleep(0.05)
    return time.monotonic() - began


class Load:
    """Clients that send one image to each server again and again, until the end of the block."""

    def __init__(self, servers, image):
        self.answers = []
        self.ended = threading.Event()
        self.threads = [
            threading.Thread(target=self.send, args=(server, image)) for server in servers for _ in range(2)
        ]

    def send(self, server, image):
        while not self.ended.is_set():
            self.answers.append(ask(server, "/v1/predict", image))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def predictions(self):
        """The predictions. None may have failed."""
        assert Counter(status for status, _ in self.answers) == {200: len(self.answers)}, self.answers[-1]
        return [answer["predictions"][0]["prediction"] for _, answer in self.answers]


def assert_none_mixed(predictions):
    """One image has one answer of each model, and a version has one digest."""
    of_model: dict[str, tuple[str, list[float]]] = {}
    for said in predictions:
        probabilities = [entry["probability"] for entry in said["probabilities"]]
        version, expected = of_model.setdefault(said["model"]["digest"], (said["model"]["version"], probabilities))
        assert said["model"]["version"] == version
        assert max(abs(a - b) for a, b in zip(probabilities, expected, strict=True)) < 1e-5
    assert len(of_model) == 2


def test_promotions_under_load_reach_both_servers_and_lose_nothing(made, versions, replicas):
    image = made.test_image("normal").read_bytes()
    slowest = 0.0
    with Load(replicas, image) as load:
        for promotion in range(PROMOTIONS):
            champion = 2 - promotion % 2
            versions.set_registered_model_alias(NAME, "champion", str(champion))
            took = wait_until(
                f"both serve version {champion}",
                lambda champion=champion: all(version_of(server) == champion for server in replicas),
                FOLLOWED_IN_SECONDS,
            )
            slowest = max(slowest, took)
    predictions = load.predictions()
    assert_none_mixed(predictions)
    for server in replicas:
        with_metrics = ask_text(server, "/metrics")
        assert f"hounsfield_model_swaps_total {PROMOTIONS}" in with_metrics
        assert "hounsfield_champion_served 1" in with_metrics
    print(f"\n{PROMOTIONS} promotions, {len(predictions)} predictions, none lost or mixed; slowest {slowest:.1f} s")


def ask_text(server, path):
    with urllib.request.urlopen(server.url + path) as answer:
        return answer.read().decode()


def test_an_outage_of_the_database_stops_no_prediction_and_loses_no_correction(made, replicas, database):
    image = made.test_image("normal").read_bytes()
    acknowledged = []
    refused = 0

    def correct(server):
        nonlocal refused
        status, answer = ask(server, "/v1/predict", image)
        assert status == 200, answer
        said = answer["predictions"][0]["prediction"]
        feedback = json.dumps({"prediction_id": said["id"], "class": "normal"}).encode()
        status, answer = ask(server, "/v1/feedback", feedback, "application/json")
        if status == 201:
            assert said["stored"]
            acknowledged.append(said["id"])
        else:
            assert status in (404, 503), answer
            refused += 1

    for server in replicas:
        correct(server)
    with Load(replicas, image) as load:
        database.stop()
        down_until = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < down_until:
            assert ask(replicas[0], "/healthz")[0] == 200
            assert ask(replicas[0], "/readyz") == (200, {"status": "without_store"})
            correct(replicas[1])
        database.start()
        for server in replicas:
            wait_until("the database is used again", lambda server=server: ask(server, "/readyz")[1]["status"] == "ok")
            wait_until("predictions are stored again", lambda server=server: is_stored(server, image))
            correct(server)
    predictions = load.predictions()
    lost = sum(not said["stored"] for said in predictions)
    assert lost > 0
    assert refused > 0
    for prediction in acknowledged:
        status, answer = ask(replicas[0], f"/v1/predictions/{prediction}")
        assert (status, answer["feedback"]["class"]) == (200, "normal"), answer
    print(f"\n{OUTAGE_SECONDS:.0f} s without PostgreSQL: {len(predictions)} predictions, {lost} of them not stored")
    print(f"{len(acknowledged)} corrections acknowledged and found again, {refused} refused")


def is_stored(server, image):
    status, answer = ask(server, "/v1/predict", image)
    return status == 200 and answer["predictions"][0]["prediction"]["stored"]


def test_an_outage_of_the_registry_stops_nothing_and_is_caught_up(
    made, versions, registry, replicas, database, tmp_path
):
    image = made.test_image("normal").read_bytes()
    with Load(replicas[:1], image) as load:
        registry.stop()
        try:
            time.sleep(OUTAGE_SECONDS)
            # A server that starts meanwhile serves the version that it served last.
            replicas[1].stop()
            replicas[1] = started(tmp_path / "two", registry, database)
            assert version_of(replicas[1]) == 1
        finally:
            registry.start()
        versions.set_registered_model_alias(NAME, "champion", "2")
        wait_until("both follow again", lambda: all(version_of(server) == 2 for server in replicas))
    predictions = load.predictions()
    assert_none_mixed(predictions)
    print(f"\n{OUTAGE_SECONDS:.0f} s without MLflow: {len(predictions)} predictions answered, none lost or mixed")
