"""Runs DAGs with the real Airflow, and reads the mails that they send from a real SMTP server.

The modules of deploy/airflow/dags are found by whoever imports this one first.
"""

import contextlib
import email.policy
import json
import mailbox
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlflow_server import free_port

PROJECT = Path(__file__).resolve().parents[2]
DAGS = PROJECT / "deploy/airflow/dags"
STARTED_IN_SECONDS = 120

sys.path.append(str(DAGS))


def airflow_python():
    """The Python of the environment that deploy/airflow/requirements.txt describes."""
    python = Path(os.environ.get("HOUNSFIELD_AIRFLOW", PROJECT / ".venv-airflow")) / "bin/python"
    for missing, is_missing in [
        (f"{python} is missing: scripts/setup airflow", not python.exists()),
        ("aiosmtpd is missing: scripts/setup reference", find_spec("aiosmtpd") is None),
    ]:
        if is_missing:
            assert not os.environ.get("HOUNSFIELD_REQUIRE_AIRFLOW"), missing
            pytest.skip(missing)
    return python


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Mail:
    """A mail as it arrived."""

    to: str
    subject: str
    text: str


class Postbox:
    """Where aiosmtpd puts what it receives."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def taken(self):
        """The mails since the last time."""
        box = mailbox.Maildir(self.folder / "mails")
        mails = []
        for key in list(box.keys()):
            message = email.message_from_bytes(box.get_bytes(key), policy=email.policy.default)
            mails.append(Mail(message["To"], message["Subject"], message.get_body().get_content()))
            box.remove(key)
        return mails


@contextlib.contextmanager
def smtp_server(folder):
    """aiosmtpd, with its mails in a folder."""
    port = free_port()
    folder.mkdir()
    handler = ["aiosmtpd.handlers.Mailbox", str(folder / "mails")]
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", "-c", *handler], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + STARTED_IN_SECONDS
        while not accepts(port):
            said = (folder / "log").read_text(encoding="utf-8")
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
        yield Postbox(folder, port)
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True)
class Run:
    """A DAG run that ended."""

    code: int
    states: dict[str, str]
    log: str
    mails: list[Mail]


class Airflow:
    """One Airflow with SQLite, in which `airflow dags test` runs DAGs."""

    def __init__(self, folder, postbox, python, environment):
        self.folder, self.postbox = folder, postbox
        folder.mkdir()
        mail = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": postbox.port,
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"},
        }
        self.program = python.with_name("airflow")
        self.environment = environment | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(mail),
            "AIRFLOW_VAR_HOUNSFIELD_MAIL_TO": "ada@example.org",
        }
        self.process = subprocess.Popen(
            [python, Path(__file__).with_name("warm_airflow.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "stderr").open("w", encoding="utf-8"),
            text=True,
            env=self.environment,
        )
        code, log = self.command("db", "migrate")
        assert code == 0, log

    def command(self, *arguments, **environment):
        """Runs `airflow …`: the exit code, and what it prints."""
        log = self.folder / "printed"
        line = json.dumps({"arguments": arguments, "environment": environment, "log": str(log)})
        print(line, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        assert answer, (self.folder / "stderr").read_text(encoding="utf-8")
        return int(answer), log.read_text(encoding="utf-8")

    def run(self, dag, conf=None, **environment):
        """Runs a DAG to its end."""
        assert self.postbox.taken() == []
        code, log = self.command("dags", "test", dag, *(["--conf", json.dumps(conf)] if conf else []), **environment)
        with contextlib.closing(sqlite3.connect(self.folder / "airflow.db")) as database:
            # `airflow tasks states-for-dag-run` would say the same.
            states = database.execute(
                "SELECT task_id, state FROM task_instance WHERE run_id = "
                "(SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1) AND dag_id = ?",
                [dag, dag],
            ).fetchall()
        return Run(code, dict(states), log, self.postbox.taken())

    def runs_at_a_time(self):
        """How many runs of each DAG the scheduler would allow."""
        with contextlib.closing(sqlite3.connect(self.folder / "airflow.db")) as database:
            return dict(database.execute("SELECT dag_id, max_active_runs FROM dag"))

    @contextlib.contextmanager
    def page(self):
        """Airflow's own page; its address. Whoever opens it is an administrator."""
        port, log = free_port(), self.folder / "page.log"
        command = [self.program, "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(command, env=self.environment, stdout=file, stderr=file, start_new_session=True)
        try:
            deadline = time.monotonic() + STARTED_IN_SECONDS
            while not accepts(port):
                said = log.read_text(encoding="utf-8")
                assert process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()

    def stop(self):
        self.process.kill()
        self.process.communicate()
