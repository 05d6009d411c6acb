"""Faults around a running server: the log, the disk, the database, the clock."""

import json
import os
import signal
import sqlite3
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from built_programs import programs
from project import STARTED_IN_SECONDS, Server

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def ask(server, path, body=None, kind="image/png"):
    """Returns status and answer."""
    request = urllib.request.Request(server.url + path, body, {"content-type": kind} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=STARTED_IN_SECONDS) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def kept(server):
    status, answer = ask(server, "/v1/predictions?limit=1000")
    assert status == 200, answer
    return answer["predictions"]


class Started(Server):
    """A server with another standard error or environment."""

    def __init__(self, project, **options):
        self.log = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until stop
        self.process = subprocess.Popen(
            [programs() / "serve", "--address", "127.0.0.1:0"],
            cwd=project.folder,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), line
        self.url = line.removeprefix("listening on ").strip()


def test_a_log_that_cannot_be_written_stops_no_answer(made, tmp_path):
    project = made.configured(tmp_path)
    image = project.test_image("normal").read_bytes()
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        server = Started(project, stderr=full)
        assert ask(server, "/v1/predict", image)[0] == 200
        assert ask(server, "/v1/predict", b"no image")[0] == 422
        server.stop()
    assert server.process.returncode == 0


def test_a_full_disk_acknowledges_nothing_and_heals_by_itself(made, tmp_path):
    project = made.configured(tmp_path)
    image = project.test_image("normal").read_bytes()
    # A limit on the size of files simulates a full disk; its signal is ignored.
    server = Started(
        project, stderr=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    )
    try:
        assert ask(server, "/v1/predict", image)[0] == 200
        limit(server, str(1))
        for _ in range(3):
            status, answer = ask(server, "/v1/predict", image)
            assert (status, answer["error"]["code"]) == (503, "store_unavailable"), answer
        assert len(kept(server)) == 1, "what is kept can still be read"
        assert ask(server, "/healthz")[0] == 200
        limit(server, "unlimited")
        assert ask(server, "/v1/predict", image)[0] == 200
        assert len(kept(server)) == 2
    finally:
        server.stop()


def limit(server, size):
    subprocess.run(["prlimit", f"--pid={server.process.pid}", f"--fsize={size}:"], check=True)


def test_a_locked_database_acknowledges_nothing_and_heals_by_itself(serve):
    server, project = serve()
    image = project.test_image("normal").read_bytes()
    assert ask(server, "/v1/predict", image)[0] == 200
    locked = sqlite3.connect(project.folder / "artifacts" / "serve" / "predictions.db", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    status, answer = ask(server, "/v1/predict", image)
    assert (status, answer["error"]["code"]) == (503, "store_unavailable"), answer
    assert len(kept(server)) == 1
    locked.execute("ROLLBACK")
    locked.close()
    assert ask(server, "/v1/predict", image)[0] == 200
    assert len(kept(server)) == 2


def test_a_clock_that_jumps_loses_nothing(made, tmp_path):
    assert FAKETIME.exists(), "libfaketime is missing; try: sudo apt-get install faketime"
    project = made.configured(tmp_path)
    image = project.test_image("normal").read_bytes()
    clock = tmp_path / "clock"
    clock.write_text("+0")
    environment = os.environ | {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    server = Started(project, stderr=subprocess.DEVNULL, env=environment)
    try:
        ids = []
        # A day forward and two back, as with an empty clock battery.
        for offset in ["+0", "+86400", "-86400", "+0"]:
            clock.write_text(offset)
            for _ in range(3):
                status, answer = ask(server, "/v1/predict", image)
                assert status == 200, answer
                ids.append(answer["predictions"][0]["prediction"]["id"])
            feedback = json.dumps({"prediction_id": ids[-1], "class": "normal"}).encode()
            assert ask(server, "/v1/feedback", feedback, "application/json")[0] == 201
            assert ask(server, "/v1/dashboard")[0] == 200
        assert len(set(ids)) == 12
        assert sorted(row["id"] for row in kept(server)) == sorted(ids)
        days = {row["created_at"][:10] for row in kept(server)}
        assert len(days) == 3, f"the clock did jump: {days}"
    finally:
        server.stop()
