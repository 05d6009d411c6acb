"""A real PostgreSQL server."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path


class Postgres:
    """A PostgreSQL server on a Unix socket. It refuses to run as root."""

    def __init__(self) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        assert programs, "PostgreSQL is missing; try: sudo apt-get install postgresql"
        self.programs = programs[-1]
        self.user = "nobody" if os.geteuid() == 0 else None
        # A socket's path may have 107 bytes: pytest's own folders are too deep, and closed to other users. Other
        # tests of the same process may have set tempfile.tempdir.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        if self.user:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        options = ["--username=hounsfield", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        self.run("initdb", *options, "--pgdata", self.folder / "data")
        self.start()
        self.url = f"postgres://hounsfield@localhost/postgres?host={self.folder}"

    def run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self.programs / program, *arguments],
            user=self.user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder}"
        self.run(
            "pg_ctl",
            "start",
            "--wait",
            "--pgdata",
            self.folder / "data",
            "--options",
            options,
            "--log",
            self.folder / "log",
        )

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "--mode=immediate", "--pgdata", self.folder / "data")

    def remove(self) -> None:
        """Stops it, and removes its data."""
        self.stop()
        shutil.rmtree(self.folder)
