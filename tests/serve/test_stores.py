"""The server with PostgreSQL and S3, as in a hospital: its records survive a restart of the server and the database."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from postgres import Postgres
from test_faults import Started, ask, kept


@pytest.fixture
def postgres():
    postgres = Postgres()
    yield postgres
    postgres.remove()


@pytest.fixture
def bucket():
    """A bucket of moto, and the server's environment variables for it."""
    program = Path(sys.executable).with_name("moto_server")
    moto = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    address = next(found[1] for line in moto.stderr if (found := re.search(r"Running on (\S+)", line)))
    # Its output must not fill the pipe.
    threading.Thread(target=moto.stderr.read, daemon=True).start()
    urllib.request.urlopen(urllib.request.Request(f"{address}/scans", method="PUT")).close()
    yield {
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
    }
    moto.terminate()
    moto.wait()


def test_what_is_kept_survives_the_server_and_its_database(made, tmp_path, postgres, bucket):
    project = made.configured(tmp_path, store_images="all", image_store="s3://scans/ward")
    environment = os.environ | bucket | {"DATABASE_URL": postgres.url}

    def start():
        return Started(project, stderr=subprocess.DEVNULL, env=environment)

    server = start()
    image = project.test_image("normal").read_bytes()
    status, answer = ask(server, "/v1/predict", image)
    assert status == 200, answer
    prediction = answer["predictions"][0]["prediction"]
    feedback = json.dumps({"prediction_id": prediction["id"], "class": "normal", "note": "seen"}).encode()
    assert ask(server, "/v1/feedback", feedback, "application/json")[0] == 201

    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    assert not list(tmp_path.rglob("predictions.db")), "it was told to use PostgreSQL"
    server = start()
    try:
        assert kept(server)[0]["feedback"]["note"] == "seen"
        with urllib.request.urlopen(f"{server.url}/v1/predictions/{prediction['id']}/image") as stored:
            assert (stored.headers["content-type"], stored.read()) == ("image/png", image)

        postgres.stop()
        status, answer = ask(server, "/v1/predict", image)
        assert (status, answer["error"]["code"]) == (503, "store_unavailable"), answer
        assert ask(server, "/readyz")[0] == 503
        assert ask(server, "/healthz")[0] == 200
        postgres.start()
        assert ask(server, "/v1/predict", image)[0] == 200
        assert len(kept(server)) == 2
        assert ask(server, "/readyz")[0] == 200
    finally:
        server.stop()
