"""The prediction server in a container, locked as deploy/docker/README.md shows it."""

import json
import os
import threading
import time
import urllib.error
import urllib.request

import yaml

from container_engine import described, docker
from mlflow_server import free_port

STARTED_IN_SECONDS = 60
LOCKED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


def make_key(image, role="admin"):
    """A key made as the README says: the key, and its entry of config.yaml."""
    printed = docker("run", "--rm", image, "key", "--name", role, "--role", role)
    key = next(word for word in printed.split() if word.startswith("hk_"))
    entry = next(line for line in printed.splitlines() if "sha256: " in line)
    return key, yaml.safe_load(entry.strip())[0]


def ask(url, key, path, body=None, kind="image/png"):
    """Status and answer; status None where nobody answers."""
    headers = {"authorization": f"Bearer {key}"} | ({"content-type": kind} if body else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, body, headers), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
    except (OSError, ValueError):
        # A connection that ended, also amid an answer.
        return None, None


def wait_until_ready(url):
    """Waits for /readyz; how many seconds that took."""
    began = time.monotonic()
    while True:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            return time.monotonic() - began
        except OSError:
            assert time.monotonic() - began < STARTED_IN_SECONDS, f"{url} did not become ready"
            time.sleep(0.02)


class Server:
    """A container with the model of a study, until `remove`."""

    def __init__(self, image, folder, *options, model=None, **serve):
        self.key, entry = make_key(image)
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        config["serve"] = {"keys": [entry], "limits": {"requests_per_minute": 0}} | serve
        file = folder / "served.yaml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.container = docker(
            "create", *LOCKED, "--publish", f"127.0.0.1:{port}:8080", "--volume", f"{file}:/srv/config.yaml:ro",
            *([] if model is None else ["--volume", f"{model}:/srv/model:ro"]), *options, image,
        )  # fmt: skip

    def start(self):
        """Starts it, or starts it again; how many seconds it took until the server was ready."""
        began = time.monotonic()
        docker("start", self.container)
        wait_until_ready(self.url)
        return time.monotonic() - began

    def kill(self):
        docker("kill", "--signal", "KILL", self.container)

    def ask(self, path, body=None, kind="image/png"):
        return ask(self.url, self.key, path, body, kind)

    def processor_seconds(self):
        """What the server has used of processors since it started."""
        fields = docker("exec", self.container, "cat", "/proc/1/stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def state(self):
        return described(self.container)["State"]

    def remove(self):
        docker("rm", "--force", "--volumes", self.container)


class Load:
    """Clients that ask for predictions and correct some of them, and note what the server acknowledged."""

    def __init__(self, server, image, clients=2):
        self.server, self.image = server, image
        self.predictions, self.corrections, self.refused = [], [], []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopping.is_set():
            status, answer = self.server.ask("/v1/predict", self.image)
            if status == 200:
                prediction = answer["predictions"][0]["prediction"]["id"]
                self.predictions.append(prediction)
                if len(self.predictions) % 5 == 0:
                    self.correct(prediction)
            elif status is None:
                time.sleep(0.02)
            else:
                self.refused.append((status, answer))

    def correct(self, prediction):
        body = json.dumps({"prediction_id": prediction, "class": "normal", "note": os.urandom(4).hex()}).encode()
        status, answer = self.server.ask("/v1/feedback", body, "application/json")
        if status == 201:
            self.corrections.append(prediction)
        elif status is not None:
            self.refused.append((status, answer))

    def wait_for(self, more):
        """Waits until the server acknowledged that many predictions more."""
        wanted = len(self.predictions) + more
        deadline = time.monotonic() + STARTED_IN_SECONDS
        while len(self.predictions) < wanted:
            assert time.monotonic() < deadline, f"{len(self.predictions)} of {wanted}; {self.refused[-1:]}"
            time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
