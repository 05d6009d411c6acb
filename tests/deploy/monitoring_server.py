"""A small model that the real stages make, and the real server that serves it."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request

import yaml

from built_programs import programs
from mlflow_server import free_port
from monitoring_programs import ROOT

STAGES = ["ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"]


def make_model(folder):
    """The whole pipeline on a sample that is small enough to run in seconds."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["ingest"]["sample"]["images"] = 120
    params["prepare_base"]["image_size"] = 32
    params["train"]["solve"] |= {"folds": 2, "cuts": [["block4_pool"]]}
    params["train"]["precision"] = "fp32"
    params["evaluate"] |= {"bootstrap_resamples": 100, "control_refits": 0, "probes": False, "explanations": 0}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.copy(ROOT / "config.yaml", folder)
    for stage in STAGES:
        done = subprocess.run([programs() / stage], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{stage} ended with {done.returncode}:\n{done.stderr}"
    return folder


class Server:
    """`serve` in a folder of its own, with the made model and these settings."""

    def __init__(self, made, folder, environment=None, log=None, **serve):
        folder.mkdir(parents=True, exist_ok=True)
        config = yaml.safe_load((made / "config.yaml").read_text(encoding="utf-8"))
        config["serve"] = config.get("serve", {}) | serve
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        shutil.copy(made / "params.yaml", folder)
        for name in ["model", "artifacts"]:
            shutil.copytree(made / name, folder / name, dirs_exist_ok=True)
        self.folder, self.environment = folder, os.environ | (environment or {})
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self.log = log or folder / "serve.log"
        self.start()

    def start(self):
        """Starts it at its address, and waits until it listens."""
        with self.log.open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [programs() / "serve", "--address", self.address],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), f"serve said {line!r}\n{self.log.read_text()}"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def images(self):
        return sorted(self.folder.glob("artifacts/data_ingestion/test/*/*"))

    def predict(self, image):
        """Sends an image; the status, and the answer."""
        request = urllib.request.Request(
            f"{self.url}/v1/predict", image.read_bytes(), {"X-Request-Id": image.stem[:60]}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def make_yesterday_drift(self, images=60):
        """Sends one image again and again, as no clinic does, and dates the predictions a day back, when that window
        of drift has ended."""
        for _ in range(images):
            status, answer = self.predict(self.images()[0])
            assert status == 200, answer
        self.stop()
        records = self.folder / "artifacts/serve/predictions.db"
        with contextlib.closing(sqlite3.connect(f"file:{records}?mode=rw", uri=True)) as database, database:
            database.execute("UPDATE predictions SET created_at_us = created_at_us - 24 * 3600 * 1000000")
        self.start()

    def metrics(self):
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as response:
            return response.read().decode()


@contextlib.contextmanager
def loaded(server, clients):
    """So many clients send images, one after the other, until the test is done; the statuses they got."""
    done = threading.Event()
    statuses: set[int] = set()

    def send():
        while not done.is_set():
            for image in server.images():
                if done.is_set():
                    return
                statuses.add(server.predict(image)[0])
                # The processor is for the server, and for who reads it.
                done.wait(0.02)

    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        done.set()
        for thread in threads:
            thread.join()
