"""Commands on EC2 instances, against moto in place of AWS Systems Manager."""

import base64
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ci_servers import SCRIPTS, answers, free_port, script, started

INSTANCE = "i-0123456789abcdef0"
HOST = (SCRIPTS / "targets/host").read_bytes()


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """The environment in which botocore asks moto."""
    port = free_port()
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", port]
    address = f"http://127.0.0.1:{port}"
    with started(command, tmp_path_factory.mktemp("moto"), lambda: answers(f"{address}/moto-api/")):
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }


def commands(aws):
    """What Systems Manager was asked to run."""
    request = urllib.request.Request(f"{aws['AWS_ENDPOINT_URL']}/moto-api/data.json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return [command["parameters"]["commands"][0] for command in json.load(answer)["ssm"]["Command"]]


def test_the_script_travels_with_its_arguments_and_settings(aws):
    script(
        "run_on_instance.py", INSTANCE, SCRIPTS / "targets/host", "deploy", "a b@sha256:0", PORT="80 80", **aws
    )  # fmt: skip
    (command,) = commands(aws)
    assert base64.b64encode(HOST).decode() in command
    # On the instance a shell reads the line: here the same, with a script that shows what it got.
    shown = base64.b64encode(b'echo "$PORT|$1|$2"').decode()
    line = command.replace(base64.b64encode(HOST).decode(), shown)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == "80 80|deploy|a b@sha256:0\n"


def test_aws_that_cannot_be_reached_is_one_line(aws):
    nobody = aws | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "AWS_MAX_ATTEMPTS": "1"}
    _, log = script("run_on_instance.py", INSTANCE, SCRIPTS / "targets/host", "present", code=1, **nobody)
    assert log.count("\n") == 1
    assert f"{INSTANCE} ran nothing" in log


def test_an_instance_has_to_be_named(aws):
    _, log = script("targets/ec2", "present", code=2, **aws)
    assert "name the instance" in log
