"""The images of deploy/docker: small, quick, locked, and the server in them loses nothing when it is killed.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_docker.py
HOUNSFIELD_PROGRAMS is a folder of programs built already, or HOUNSFIELD_RELEASE a tarball or a wheel with them.
HOUNSFIELD_KILLS=20 kills the server that often. HOUNSFIELD_IDLE=1 says that nothing else runs on this machine: then
the clock is judged too, and not only the processor.
"""

import json
import os
import re
import statistics
import subprocess
import tarfile

import pytest

from container_engine import PROJECT, SENTINEL, build, described, docker
from container_server import LOCKED, Load, Server
from container_study import scan_of, study_below

CEILING_BYTES = 260_000_000
CEILING_SECONDS = 3
IDLE = bool(os.environ.get("HOUNSFIELD_IDLE"))
KILLS = int(os.environ.get("HOUNSFIELD_KILLS", "3"))


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The image of the prediction server."""
    return build("serve", tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def archive(image, tmp_path_factory):
    """The image as a file: its layers, and what it is called."""
    archive = tmp_path_factory.mktemp("archive") / "image.tar"
    docker("save", "--output", archive, image)
    return archive


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_below(tmp_path_factory.getbasetemp())


@pytest.fixture
def server(image, study):
    """A server with the model in a volume."""
    server = Server(image, study, model=study / "model")
    yield server
    server.remove()


def test_the_image_is_small_packed(image, archive):
    with subprocess.Popen(["gzip", "-1", "--stdout", archive], stdout=subprocess.PIPE) as packing:
        packed = sum(len(block) for block in iter(lambda: packing.stdout.read(1 << 20), b""))
    assert packing.returncode == 0
    print(f"{packed / 1e6:.0f} MB packed by gzip -1, {described(image)['Size'] / 1e6:.0f} MB unpacked")
    assert 100_000_000 < packed <= CEILING_BYTES


def test_no_layer_holds_a_secret_or_what_belongs_to_a_person(image, archive):
    names, found = [], []
    with tarfile.open(archive) as whole:
        [manifest] = json.load(whole.extractfile("manifest.json"))
        assert SENTINEL.encode() not in whole.extractfile(manifest["Config"]).read()
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=whole.extractfile(layer)) as files:
                for file in files:
                    names.append(file.name.removeprefix("./"))
                    if file.isfile() and SENTINEL.encode() in files.extractfile(file).read():
                        found.append(file.name)
    assert "opt/hounsfield/bin/serve" in names
    assert found == []
    private = re.compile(r"pip\.conf|\.netrc|\.env$|id_rsa|\.git/|\.dvc/|\.safetensors|\.dcm|run/secrets/.|srv/model")
    assert [name for name in names if private.search(name)] == []
    history = docker("history", "--no-trunc", image)
    assert SENTINEL not in history
    assert "hk_" not in history


def test_labels_user_and_health_check_are_there(image):
    config = described(image)["Config"]
    version = re.search(r'^version = "(.*)"$', (PROJECT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["version"] == version
    assert labels["licenses"] == "MIT OR Apache-2.0"
    assert re.fullmatch("[0-9a-f]{40}|unknown", labels["revision"])
    assert "Research use only" in labels["description"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "serve", "--health"]


def test_without_a_key_it_refuses_and_says_how_to_make_one(image):
    said = docker("run", "--rm", *LOCKED, image, code=2)
    assert "other machines reach it, and no key is configured" in said
    assert "Make one with `serve key --name" in said


def test_a_locked_container_predicts_within_seconds_and_stops_cleanly(server, study):
    starts, used = [server.start()], server.processor_seconds()
    status, answer = server.ask("/v1/predict", scan_of(study))
    assert status == 200, answer
    prediction = answer["predictions"][0]["prediction"]["id"]
    docker("exec", server.container, "serve", "--health", "--address", "0.0.0.0:8080")
    docker("exec", server.container, "serve", "--health", "--address", "127.0.0.1:9", code=1)
    container = described(server.container)
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert docker("exec", server.container, "sh", "-c", "id -u; grep CapEff /proc/1/status").split() == [
        "10001", "CapEff:", "0000000000000000",
    ]  # fmt: skip
    docker("exec", server.container, "touch", "/srv/config.yaml.new", code=1)
    memory = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", server.container)
    docker("stop", server.container)
    assert server.state()["ExitCode"] == 0
    for _ in range(2):
        starts.append(server.start())
        assert server.ask(f"/v1/predictions/{prediction}")[0] == 200, "it is kept in the volume"
        docker("stop", server.container)
    print(f"ready after {', '.join(f'{s:.2f}' for s in starts)} s, {used:.2f} s of processors; memory {memory}")
    assert used <= CEILING_SECONDS
    assert not IDLE or max(starts) <= CEILING_SECONDS


def test_a_server_that_is_killed_under_load_loses_nothing(server, study):
    server.start()
    load = Load(server, scan_of(study))
    seconds = []
    for _ in range(KILLS):
        load.wait_for(10)
        server.kill()
        seconds.append(server.start())
    load.wait_for(10)
    load.stop()
    assert load.refused == []
    lost = [one for one in load.predictions if server.ask(f"/v1/predictions/{one}")[0] != 200]
    uncorrected = [
        one for one in load.corrections if not server.ask(f"/v1/predictions/{one}")[1]["feedback"]
    ]  # fmt: skip
    print(
        f"killed {KILLS} times: {len(load.predictions)} predictions and {len(load.corrections)} corrections "
        f"acknowledged, {len(lost)} and {len(uncorrected)} lost; back after {statistics.median(seconds):.2f} s "
        f"(median), {max(seconds):.2f} s (longest)"
    )
    assert (lost, uncorrected) == ([], [])
    assert load.corrections
    assert not IDLE or max(seconds) <= CEILING_SECONDS
