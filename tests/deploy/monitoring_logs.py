"""PostgreSQL and rsyslog with the project's configuration, in temporary folders."""

import contextlib
import os
import subprocess
from pathlib import Path

from mlflow_server import free_port
from monitoring_programs import ROOT, installed, missing, running
from postgres import Postgres

LOGS = ROOT / "deploy/logs"
PASSWORD = "a password"


class LogDatabase(Postgres):
    """PostgreSQL with a database for the log."""

    def __init__(self):
        super().__init__()
        self.run("createdb", "--host", self.folder, "--username", "hounsfield", "hounsfield_logs")
        # rsyslog needs its password, as anywhere else.
        rules = "local all hounsfield_rsyslog scram-sha-256\nlocal all hounsfield trust\n"
        (self.folder / "data/pg_hba.conf").write_text(rules, encoding="utf-8")
        self.run("pg_ctl", "reload", "--pgdata", self.folder / "data")

    def stop(self):
        # Not at once: then lines of the last second could be missing (synchronous_commit in schema.sql).
        self.run("pg_ctl", "stop", "--mode=fast", "--pgdata", self.folder / "data")

    @contextlib.contextmanager
    def stopped(self):
        """An outage, until the end of the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def query(self, *arguments, user="hounsfield"):
        """What psql prints, without headings."""
        done = subprocess.run(
            ["psql", "--host", self.folder, "--username", user, "--dbname", "hounsfield_logs", "--no-psqlrc",
             "--quiet", "--tuples-only", "--no-align", *arguments],
            env=os.environ | {"PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextlib.contextmanager
def log_database():
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        missing("PostgreSQL's initdb", "postgresql", "HOUNSFIELD_REQUIRE_POSTGRES")
    server = LogDatabase()
    try:
        yield server
    finally:
        server.remove()


class Rsyslog:
    """rsyslogd with the project's configuration, but with these places, in a folder of its own."""

    def __init__(self, folder, database):
        self.program = installed("rsyslogd", "rsyslog rsyslog-pgsql", "HOUNSFIELD_REQUIRE_RSYSLOG")
        self.folder, self.port = folder, free_port()
        # A socket's path may have 107 bytes: pytest's own folders are too deep.
        self.socket = database.folder / "log-socket"
        text = (LOGS / "rsyslog/hounsfield.conf").read_text(encoding="utf-8")
        places = {
            'file="/var/log/hounsfield/': f'file="{folder}/logs/',
            'port="5514"': f'port="{self.port}"',
            "@127.0.0.1/hounsfield_logs?passfile=/etc/hounsfield-logs.pgpass": (
                f"@/hounsfield_logs?host={database.folder}&passfile={folder}/passfile"
            ),
            'resumeInterval="5"': 'resumeInterval="1"',
        }
        for there, here in places.items():
            assert text.count(there) == 1, there
            text = text.replace(there, here)
        (folder / "passfile").write_text(f"*:*:hounsfield_logs:hounsfield_rsyslog:{PASSWORD}\n", encoding="utf-8")
        (folder / "passfile").chmod(0o600)
        for name in ["logs", "waiting"]:
            (folder / name).mkdir()
        (folder / "hounsfield.conf").write_text(text, encoding="utf-8")
        # In place of the system's /etc/rsyslog.conf.
        (folder / "main.conf").write_text(
            f'global(workDirectory="{folder}/waiting" maxMessageSize="64k" processInternalMessages="on")\n'
            'module(load="imuxsock" sysSock.use="off")\n'
            f'input(type="imuxsock" socket="{self.socket}")\n'
            f'include(file="{folder}/hounsfield.conf")\n'
            f'syslog.* action(type="omfile" file="{folder}/own.log")\n',
            encoding="utf-8",
        )

    def running(self):
        """Runs it until the test is done, or the block."""
        pid = self.folder / "pid"
        pid.unlink(missing_ok=True)
        command = [self.program, "-n", "-f", self.folder / "main.conf", "-i", pid]
        return running(command, self.folder / "stderr", lambda: pid.exists() and self.socket.exists())
