"""A study small enough for a test, the real server that serves its champion, and a person who corrects it."""

import contextlib
import json
import os
import subprocess
import urllib.request
from pathlib import Path

import yaml

from built_programs import programs

PROJECT = Path(__file__).resolve().parents[2]
STARTED_IN_SECONDS = 120
AUTHOR = {f"GIT_{who}_{what}": "test@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def environment(mlflow=None):
    """In which `hounsfield`, `dvc` and the MLflow server are found."""
    paths = [str(programs()), str(PROJECT / ".venv/bin"), os.environ["PATH"]]
    found = {
        "PATH": os.pathsep.join(paths),
        "HOUNSFIELD_PROGRAMS": str(programs()),
        "LIBTORCH": str(PROJECT / ".venv/libtorch"),
        "DVC_NO_ANALYTICS": "1",
    }
    return os.environ | AUTHOR | found | ({"MLFLOW_TRACKING_URI": mlflow} if mlflow else {})


def changed(path, change):
    """Changes a YAML file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def make_study(folder):
    """`hounsfield init`, on a sample that trains in seconds. Nothing true can be learnt at first."""
    command = ["hounsfield", "init", folder, "--from", "sample", "--yes"]
    subprocess.run(command, env=environment(), check=True, capture_output=True)

    def small(params):
        params["ingest"] |= {"sample": {"images": 120}, "split": {"train": 0.5, "valid": 0.1, "test": 0.4}}
        params["prepare_base"]["image_size"] = 32
        params["train"]["solve"] |= {"folds": 2, "strengths": [1.0], "cuts": [["block4_pool"]]}
        params["train"] |= {"precision": "fp32", "permute_labels": True}
        params["calibrate"]["out_of_fold_below"] = 0
        params["evaluate"] |= {"bootstrap_resamples": 100, "control_refits": 0, "probes": False, "explanations": 0}

    def any_first_model(config):
        config["promotion"] = {"minimum": 0.0}

    changed(folder / "params.yaml", small)
    changed(folder / "config.yaml", any_first_model)
    return folder


def let_it_learn(study):
    """From the next training on, the labels are the true ones."""
    changed(study / "params.yaml", lambda params: params["train"].update(permute_labels=False))


def fresh_scans(study, folder, images=60):
    """Scans that the study has not: another draw of its sample, by class."""
    command = ["hounsfield", "ingest", "--seed", "99", "--sample-images", str(images), "--output", folder]
    subprocess.run(command, cwd=study, env=environment(), check=True, capture_output=True)
    scans = sorted(folder.glob("*/*/*.png"))
    return {kind: [scan for scan in scans if scan.parent.name == kind] for kind in {it.parent.name for it in scans}}


class Person:
    """Somebody with keys, who sends scans to a server and corrects it."""

    def __init__(self, address, key, review_key=None):
        self.address, self.key, self.review_key = address, key, review_key

    def request(self, path, body=None, kind="application/json"):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        request = urllib.request.Request(f"{self.address}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def predict(self, scan):
        return self.request("/v1/predict", scan.read_bytes(), "image/png")["predictions"][0]["prediction"]

    def judge(self, prediction, class_name):
        body = {"prediction_id": prediction["id"], "class": class_name}
        return self.request("/v1/feedback", json.dumps(body).encode())

    def correct(self, scan):
        """Sends a scan, and gives it another class than the server does; the class given."""
        prediction = self.predict(scan)
        class_name = next(it["class"] for it in prediction["probabilities"] if it["class"] != prediction["class"])
        assert self.judge(prediction, class_name)["trains"]
        return class_name


def make_key(study, role):
    """A key of the server, and its entry of config.yaml."""
    command = [programs() / "serve", "key", "--name", role, "--role", role]
    made = subprocess.run(command, cwd=study, capture_output=True, text=True, check=True)
    key = next(word for word in made.stdout.split() if word.startswith("hk_"))
    entry = next(line for line in made.stdout.splitlines() if "sha256" in line)
    return key, yaml.safe_load(entry.strip())[0]


def make_keys(study):
    """A key to administer and one to review, each with its entry of config.yaml."""
    return make_key(study, "admin"), make_key(study, "review")


def champion(mlflow):
    """The version that has the alias."""
    query = "registered-models/alias?name=lungs&alias=champion"
    with urllib.request.urlopen(f"{mlflow}/api/2.0/mlflow/{query}") as answer:
        return json.load(answer)["model_version"]["version"]


@contextlib.contextmanager
def served(study, folder, mlflow, keys=None, **serve):
    """`serve` in a folder of its own, as on another machine: it has the champion from the registry, and needs a key."""
    folder.mkdir()
    (key, entry), (review_key, review_entry) = keys or make_keys(study)
    for file in ["config.yaml", "params.yaml"]:
        (folder / file).write_bytes((study / file).read_bytes())
    settings = {"store_images": "feedback", "foreign_images": "flag", "keys": [entry, review_entry], **serve}
    changed(folder / "config.yaml", lambda config: config.update(serve=settings))
    command = [str(programs() / "serve"), "--address", "127.0.0.1:0"]
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(mlflow), stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), (folder / "log").read_text(encoding="utf-8")
        yield Person(line.removeprefix("listening on ").strip(), key, review_key)
    finally:
        process.terminate()
        process.wait(timeout=STARTED_IN_SECONDS)
        process.stdout.close()
