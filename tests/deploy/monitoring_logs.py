"""PostgreSQL and rsyslog with the project's configuration, in temporary folders."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from monitoring_programs import ROOT, free_port, installed, running

LOGS = ROOT / "deploy/logs"


class Postgres:
    """A PostgreSQL server on a Unix socket, with the table of the log. It refuses to run as root."""

    def __init__(self, folder):
        self.programs, self.folder = max(Path("/usr/lib/postgresql").glob("*/bin")), folder
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)
        options = ["--username=owner", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        self.run("initdb", *options, "--pgdata", folder / "data")
        self.start()
        self.run("createdb", "--host", folder, "--username", "owner", "hounsfield_logs")

    def run(self, program, *arguments):
        subprocess.run(
            [self.programs / program, *arguments],
            user=self.user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def start(self):
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        place = ["--pgdata", self.folder / "data", "--log", self.folder / "log"]
        self.run("pg_ctl", "start", "--wait", *place, "--options", options)

    def stop(self):
        self.run("pg_ctl", "stop", "--mode=fast", "--pgdata", self.folder / "data")

    def query(self, *arguments, user="owner"):
        """What psql prints, without headings."""
        done = subprocess.run(
            ["psql", "--host", self.folder, "--username", user, "--dbname", "hounsfield_logs", "--no-psqlrc",
             "--quiet", "--tuples-only", "--no-align", *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextlib.contextmanager
def postgres():
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        reason = "PostgreSQL's initdb is missing: apt-get install postgresql"
        assert not os.environ.get("HOUNSFIELD_REQUIRE_POSTGRES"), reason
        pytest.skip(reason)
    # A socket's path may have 107 bytes: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Postgres(folder)
    try:
        yield server
    finally:
        if (folder / "data/postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder)


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
            "?host=/run/postgresql": f"?host={database.folder}",
            'resumeInterval="5"': 'resumeInterval="1"',
        }
        for there, here in places.items():
            assert text.count(there) == 1, there
            text = text.replace(there, here)
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
