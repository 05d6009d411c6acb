#!/usr/bin/env python3
"""Runs a script of this machine on an EC2 instance, by AWS Systems Manager.

    deploy/ci/run_on_instance.py i-0123456789abcdef0 deploy/ci/targets/host present

The script travels with the command. What it prints is printed here, and its exit code is this one's; 1 where AWS did
not run it. The credentials are those of the environment: a role by OIDC. Needs botocore,
which requirements-remote-s3.txt installs.
"""

import base64
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

# Variables that the script may read; a secret never travels this way, because AWS keeps commands.
PASSED_ON = ("NAME", "PORT", "SETTINGS", "KEEP", "WAIT", "STOP", "DOCKER")
BETWEEN_LOOKS_SECONDS = 1.0
LONGEST_SECONDS = 1800
UNDERWAY = {"Pending", "InProgress", "Delayed", "Cancelling"}


class NotRun(Exception):
    """AWS did not run the command."""


def command_of(script: bytes, arguments: list[str], environment: dict[str, str]) -> str:
    """A line of shell that runs the script with these arguments."""
    settings = [f"{name}={shlex.quote(environment[name])}" for name in PASSED_ON if name in environment]
    words = [*settings, "sh", "-s", "--", *map(shlex.quote, arguments)]
    return f"echo {base64.b64encode(script).decode()} | base64 -d | {' '.join(words)}"


def send(client: Any, instance: str, command: str) -> str:
    """The id of a command that the instance was given."""
    answer = client.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [command], "executionTimeout": [str(LONGEST_SECONDS)]},
        TimeoutSeconds=60,
    )
    command_id: str = answer["Command"]["CommandId"]
    return command_id


def result(client: Any, instance: str, command_id: str) -> dict[str, Any]:
    """How the command ended on the instance."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        try:
            found: dict[str, Any] = client.get_command_invocation(CommandId=command_id, InstanceId=instance)
        except client.exceptions.InvocationDoesNotExist:
            # The instance is told a moment after the command was taken.
            found = {"Status": "Pending"}
        if found["Status"] not in UNDERWAY:
            return found
        time.sleep(BETWEEN_LOOKS_SECONDS)
    raise NotRun(f"{instance} had not ended command {command_id} after {LONGEST_SECONDS} s")


def main(words: list[str]) -> int:
    if len(words) < 2:
        print("run_on_instance: say which instance and script: i-… SCRIPT [arguments]", file=sys.stderr)
        return 2
    instance, script, *arguments = words
    try:
        client = botocore.session.get_session().create_client("ssm")
        command = command_of(Path(script).read_bytes(), arguments, dict(os.environ))
        found = result(client, instance, send(client, instance, command))
    except (BotoCoreError, ClientError, NotRun, OSError) as error:
        print(f"run_on_instance: {instance} ran nothing: {error}", file=sys.stderr)
        return 1
    sys.stdout.write(found["StandardOutputContent"])
    sys.stderr.write(found["StandardErrorContent"])
    code = int(found["ResponseCode"])
    if found["Status"] != "Success" and code <= 0:
        print(f"run_on_instance: {instance} ran nothing: {found['Status']}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
