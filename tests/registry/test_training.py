"""The prediction server trains again: real DVC, the real gate, the real server.

The training itself, which really takes hours, is one DVC stage here that installs another trained model.
"""

import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from project import copied

PROJECT = Path(__file__).resolve().parents[2]

ANSWER_IN_SECONDS = 120


class Server:
    """The server with the model of a project, on a free port."""

    def __init__(self, project, *arguments):
        self.project = project
        self.log = (project.folder / "serve.log").open("a", encoding="utf-8")
        self.process = subprocess.Popen(
            [project.programs / "serve", "--address", "127.0.0.1:0", "--device", "cpu", *arguments],
            cwd=project.folder,
            env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), (project.folder / "serve.log").read_text()
        self.url = line.split()[-1]

    def ask(self, path, method="GET", status=200):
        return self.exchange(urllib.request.Request(self.url + path, method=method), status)

    def send(self, path, body, kind, status=200):
        return self.exchange(urllib.request.Request(self.url + path, body, {"content-type": kind}), status)

    def exchange(self, request, status):
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_IN_SECONDS) as answer:
                found, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            found, text = error.code, error.read()
        assert found == status, text
        return json.loads(text)

    def events(self):
        """Server-sent events, as they arrive."""
        with urllib.request.urlopen(self.url + "/train/events", timeout=ANSWER_IN_SECONDS) as stream:
            name = None
            for line in stream:
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text.removeprefix("event: ")
                elif text.startswith("data: "):
                    yield name, json.loads(text.removeprefix("data: "))

    def train(self):
        """Trains, and returns what was reported: the last state, and the log."""
        events = self.events()
        _, first = next(events)
        assert first["state"] != "running"
        self.ask("/train", "POST", 202)
        log = []
        for name, data in events:
            if name == "log":
                log.append(data["line"])
            elif data["finished_at"]:
                return data, log
        raise AssertionError("the server broke off")

    def digest(self):
        return self.ask("/v1/model")["digest"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=ANSWER_IN_SECONDS) == 0
        self.log.close()


def prepare(project, other):
    """Makes the project a DVC project of one stage, which installs the model of `other`."""
    (project.folder / ".venv/bin").mkdir(parents=True)
    (project.folder / ".venv/bin/dvc").symlink_to(PROJECT / ".venv/bin/dvc")
    scripts = project.folder / "scripts"
    scripts.mkdir()
    stage = scripts / "stage"
    stage.write_text(f'#!/bin/sh\nprogram=$1\nshift\nexec {project.programs}/"$program" "$@"\n')
    stage.chmod(0o755)
    put_in_place(project, other)
    for command in (["init", "--no-scm", "--quiet"], ["config", "core.analytics", "false"]):
        subprocess.run([project.folder / ".venv/bin/dvc", *command], cwd=project.folder, check=True)


def put_in_place(project, other):
    """From now on training produces the model of `other`."""
    source = project.folder / "made"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(other.model, source / "model")
    shutil.copytree(other.evaluation, source / "evaluation")
    command = "rm -rf model artifacts/evaluation && cp -r made/model model && cp -r made/evaluation artifacts/"
    pipeline = {"stages": {"train": {"cmd": command, "deps": ["made"]}}}
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline), encoding="utf-8")


@pytest.fixture
def served(weak):
    servers = []

    def start(*arguments):
        servers.append(Server(weak, *arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait()


def test_a_better_model_answers_after_training_and_a_worse_one_never(served, weak, good, tmp_path):
    worse = copied(weak, tmp_path / "worse")
    prepare(weak, good)
    server = served()
    before = server.digest()
    state, log = server.train()
    assert state["state"] == "succeeded", (state, log)
    assert state["outcome"]["promoted"], (state, log)
    assert "the model passes" in state["outcome"]["reason"]
    assert state["stages"] == [{"name": "train", "state": "done"}]
    assert any("Running stage 'train'" in line for line in log)
    after = server.digest()
    assert after != before

    put_in_place(weak, worse)
    state, _ = server.train()
    assert state["state"] == "succeeded", state
    assert not state["outcome"]["promoted"], state
    assert "no gain" in state["outcome"]["reason"]
    assert server.digest() == after
    # The worse model is in the model folder, and is not served after a restart either.
    assert json.loads((weak.model / "model.json").read_text())["digests"]["weights"] == before
    server.stop()
    server = served()
    assert server.digest() == after
    # An explicit reload serves it, and it stays.
    assert server.ask("/v1/model/reload", "POST")["digest"] == before
    server.stop()
    assert served().digest() == before


def test_a_model_that_is_nowhere_kept_is_not_trained_away(served, weak, good):
    prepare(weak, good)
    server = served()
    before = server.digest()
    # Someone ran the pipeline by hand, so the served model is no longer on disk.
    for ours, others in ((weak.model, good.model), (weak.evaluation, good.evaluation)):
        shutil.rmtree(ours)
        shutil.copytree(others, ours)
    state, _ = server.train()
    assert state["state"] == "failed", state
    assert "/v1/model/reload" in state["outcome"]["reason"]
    assert server.digest() == before
    assert server.ask("/v1/model/reload", "POST")["digest"] != before
    state, _ = server.train()
    assert state["state"] == "succeeded", state


def test_a_model_of_another_folder_is_not_trained_again(served, weak, good):
    prepare(weak, good)
    shutil.copytree(weak.model, weak.folder / "elsewhere")
    server = served("--model", "elsewhere")
    assert "--model" in server.ask("/train", "POST", 409)["error"]["message"]


def test_corrected_images_are_put_where_ingest_looks(served, weak, good):
    config = yaml.safe_load((weak.folder / "config.yaml").read_text())
    config["data"]["corrections"] = "corrections"
    config["serve"] = {"store_images": "feedback", "foreign_images": "flag"}
    (weak.folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    prepare(weak, good)
    server = served()
    content = min(Path(config["paths"]["data_ingestion"]).glob("test/*/*.png")).read_bytes()
    prediction = server.send("/v1/predict", content, "image/png")["predictions"][0]["prediction"]
    for corrected in ["normal", "large_cell_carcinoma"]:
        feedback = json.dumps({"prediction_id": prediction["id"], "class": corrected}).encode()
        server.send("/v1/feedback", feedback, "application/json", 201)
    _, log = server.train()
    assert any("1 corrected images" in line for line in log), log
    files = [path for path in (weak.folder / "corrections").rglob("*") if path.is_file()]
    assert [path.parent.name for path in files] == ["large_cell_carcinoma"]
    assert files[0].name == f"{prediction['image']['sha256']}.png"
    assert files[0].read_bytes() == content


def test_a_training_that_fails_changes_nothing_and_says_where(served, weak, good):
    prepare(weak, good)
    pipeline = {"stages": {"train": {"cmd": "echo no GPU left >&2; exit 1"}, "select": {"cmd": "true"}}}
    (weak.folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline), encoding="utf-8")
    server = served()
    before = server.digest()
    state, log = server.train()
    assert state["state"] == "failed", state
    assert {"name": "train", "state": "failed"} in state["stages"]
    assert any("no GPU left" in line for line in log)
    assert server.digest() == before
    assert server.ask("/train")["outcome"]["promoted"] is False


def test_one_training_at_a_time_and_it_ends_with_the_server(served, weak, good):
    prepare(weak, good)
    pipe = weak.folder / "alive"
    os.mkfifo(pipe)
    pipeline = {"stages": {"train": {"cmd": f"exec 3>{pipe}; echo here >&3; sleep 600"}}}
    (weak.folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline), encoding="utf-8")
    server = served()
    server.ask("/train", "POST", 202)
    with pipe.open(encoding="utf-8") as opened:
        assert opened.readline() == "here\n"
        assert server.ask("/train", "POST", 409)["error"]["code"] == "conflict"
        assert server.ask("/train")["stage"] == "train"
        server.stop()
        # The pipe ends when the last program that holds it has ended.
        assert opened.read() == ""
    server = served()
    assert server.ask("/train")["state"] == "idle"


def test_without_a_pipeline_nothing_can_be_trained(served):
    server = served()
    message = server.ask("/train", "POST", 409)["error"]["message"]
    assert "dvc.yaml" in message
