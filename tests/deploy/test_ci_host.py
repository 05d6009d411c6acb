"""A container on a machine, for a self-hosted runner or an EC2 instance: with a real engine and a real registry."""

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from ci_image import written
from ci_servers import free_port, registry, script

BUSYBOX = Path("/bin/busybox")
# The path of an answer to GET /readyz, which is all that the script asks a server.
READY, NOT_READY = "www/readyz", "www/other"


def missing(reason):
    assert not os.environ.get("HOUNSFIELD_REQUIRE_DOCKER"), reason
    pytest.skip(reason)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def docker():
    """An engine that this machine reaches."""
    named = [os.environ.get("DOCKER"), shutil.which("docker"), "/usr/bin/docker"]
    for program in filter(None, named):
        if (
            Path(program).exists()
            and subprocess.run([program, "info"], capture_output=True, check=False).returncode == 0
        ):
            return program
    return missing("no container engine answers")


@pytest.fixture(scope="module")
def images(docker, tmp_path_factory):
    """Five images of a registry by their digests, the second of which never gets ready."""
    # A dynamic one would need libraries that the image has not.
    if not BUSYBOX.exists() or subprocess.run(["ldd", BUSYBOX], capture_output=True, check=False).returncode == 0:
        missing("a static busybox is missing: apt-get install busybox-static")
    folder = tmp_path_factory.mktemp("images")
    with registry(folder / "registry") as host:
        repository = f"{host}/serve-{uuid.uuid4().hex[:8]}"
        names = []
        for number in range(1, 6):
            files = {
                "bin/busybox": BUSYBOX.read_bytes(),
                NOT_READY if number == 2 else READY: "{}",
                "srv/config.yaml": "",
            }
            command = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
            image = written(folder / str(number), files, note=str(number), command=command)
            printed, _ = script(
                "push-image", image, f"{repository}:{number}", REGISTRY_TLS_VERIFY="false", HOME=folder
            )  # fmt: skip
            names.append(printed.strip())
        yield names
        found = output(docker, "image", "ls", "--quiet", "--filter", f"reference={repository}").split()
        subprocess.run([docker, "image", "rm", "--force", *found], capture_output=True, check=False)


class Host:
    """Runs commands of targets/host on a name and a port of their own."""

    def __init__(self, docker, folder):
        self.docker, self.folder = docker, folder
        self.name = f"hounsfield-{uuid.uuid4().hex[:8]}"
        self.settings = {"NAME": self.name, "PORT": free_port(), "SETTINGS": folder, "DOCKER": docker}

    def run(self, *words, code=0):
        # Its server ends only when it is killed.
        return script("targets/host", *words, code=code, WAIT=3, STOP=0, **self.settings)

    @property
    def present(self):
        return self.run("present")[0].strip()

    def remove(self):
        for command in (["rm", "--force", self.name], ["volume", "rm", f"{self.name}-records"]):
            subprocess.run([self.docker, *command], capture_output=True, check=False)


@pytest.fixture
def host(docker, tmp_path):
    (tmp_path / "config.yaml").write_text("serve: {}\n", encoding="utf-8")
    host = Host(docker, tmp_path)
    yield host
    host.remove()


def test_an_image_runs_locked_in_and_its_name_is_what_to_go_back_to(docker, host, images):
    assert host.present == ""
    host.run("deploy", images[0])
    assert host.present == images[0]
    locks = ("ReadonlyRootfs", "CapDrop", "SecurityOpt")
    shown = output(docker, "inspect", "--format", " ".join(f"{{{{.HostConfig.{lock}}}}}" for lock in locks), host.name)
    assert shown.strip() == "true [ALL] [no-new-privileges]"


def test_an_image_that_does_not_get_ready_is_said_and_the_one_before_comes_back(host, images):
    host.run("deploy", images[0])
    _, log = host.run("deploy", images[1], code=1)
    assert f"{images[1]} is not ready after 3 s" in log
    host.run("back", images[0])
    assert host.present == images[0]


def test_old_images_go_and_the_newest_stay(docker, host, images):
    for number in (0, 2, 3, 4):
        host.run("deploy", images[number])
    repository = images[0].split("@")[0]
    # The one that did not get ready was pulled too.
    host.run("settle")
    there = output(docker, "image", "ls", "--digests", "--format", "{{.Repository}}@{{.Digest}}", repository).split()
    assert images[4] in there
    assert len(there) == 3
    assert host.present == images[4]
