"""Real servers that hold a remote, each on a free port and with its files in a folder of the test."""

import contextlib
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from mlflow_server import free_port

STARTED_IN_SECONDS = 60
# sbin is not in everybody's PATH.
SSHD = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")


@contextlib.contextmanager
def started(command: Sequence[object], port: int, folder: Path) -> Iterator[None]:
    """Runs a server until the test is done, which begins when the port is open."""
    log = folder / "log"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen([str(part) for part in command], cwd=folder, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + STARTED_IN_SECONDS
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                break
        yield
    finally:
        process.terminate()
        process.wait()


def program(name: str) -> Path:
    """A program that requirements-reference.txt installs beside this Python."""
    return Path(sys.executable).with_name(name)


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[str]:
    """moto with an empty bucket, which may be read without a key; its address."""
    port = free_port()
    with started([program("moto_server"), "-H", "127.0.0.1", "-p", str(port)], port, folder):
        address = f"http://127.0.0.1:{port}"
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::my-bucket/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
        for path, body in [("my-bucket", None), ("my-bucket?policy", policy)]:
            headers = {"Content-Type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(f"{address}/{path}", body, headers, method="PUT")).close()
        yield address


@contextlib.contextmanager
def google(folder: Path) -> Iterator[str]:
    """An emulator of Google Cloud Storage with an empty bucket; its address."""
    port = free_port()
    command = [
        program("gcp-storage-emulator"), "start", "--host=127.0.0.1", f"--port={port}",
        "--default-bucket=my-bucket", "--in-memory",
    ]  # fmt: skip
    with started(command, port, folder):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def ssh(folder: Path) -> Iterator[tuple[str, Path]]:
    """OpenSSH's server, which lets in whoever runs the tests and has the key; user, host and port, and the key."""
    if SSHD is None:
        assert not os.environ.get("HOUNSFIELD_REQUIRE_SSHD"), "sshd is missing: apt-get install openssh-server"
        pytest.skip("sshd is missing: apt-get install openssh-server")
    if os.getuid() == 0:
        # It starts in this folder alone when root starts it; systemd would make it.
        Path("/run/sshd").mkdir(exist_ok=True)
    for name in ["host_key", "key"]:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = free_port()
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\n"
        f"HostKey {folder}/host_key\n"
        f"AuthorizedKeysFile {folder}/key.pub\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        # The folder of a test lies in one that everybody may write to.
        "StrictModes no\n"
        "UsePAM no\n"
        "PidFile none\n"
        "Subsystem sftp internal-sftp\n",
        encoding="utf-8",
    )
    with started([SSHD, "-D", "-e", "-f", folder / "config"], port, folder):
        yield f"{getpass.getuser()}@127.0.0.1:{port}", folder / "key"


@contextlib.contextmanager
def webdav(folder: Path) -> Iterator[tuple[str, str]]:
    """WsgiDAV with one user, `me`, and the user's folder as on a Nextcloud; its host and port, and the password."""
    port = free_port()
    (folder / "files/hounsfield").mkdir(parents=True)
    config = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/remote.php/dav/files/me": str(folder / "files")},
        "simple_dc": {"user_mapping": {"*": {"me": {"password": "a password"}}}},
        "lock_storage": False,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with started([program("wsgidav"), "--config", folder / "config.yaml"], port, folder):
        yield f"127.0.0.1:{port}", "a password"
