"""The container engine, and the images that the tests start: built once from the programs, as a person would.

DOCKER names another program than docker. Without an engine that can build, tests are skipped; with
HOUNSFIELD_REQUIRE_DOCKER=1 they fail.
"""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

import built_programs

PROJECT = Path(__file__).resolve().parents[2]
BASE = "debian:bookworm-slim"
# What pip gets as a secret of the build. No layer may hold it.
SENTINEL = "sentinel-4b1f9d0c-of-the-tests"


def missing(reason):
    """Skips the test, or fails where the engine has to be there."""
    assert not os.environ.get("HOUNSFIELD_REQUIRE_DOCKER"), reason
    pytest.skip(reason)


def output_of(*command):
    """What a command prints; None where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def can_build(docker):
    """With BuildKit: as a plugin, or inside Docker before 23."""
    if output_of(docker, "buildx", "version") is not None:
        return True
    version = output_of(docker, "version", "--format", "{{.Client.Version}}")
    return version is not None and int(version.split(".")[0]) < 23


@cache
def engine():
    """The first program that reaches an engine and can build, or why there is none."""
    named = os.environ.get("DOCKER")
    candidates = [named] if named else [shutil.which("docker"), "/usr/bin/docker"]
    reasons = []
    for docker in dict.fromkeys(filter(None, candidates)):
        if output_of(docker, "info") is None:
            reasons.append(f"`{docker} info` failed")
        elif not can_build(docker):
            reasons.append(f"{docker} has no BuildKit (docker buildx)")
        elif output_of(docker, "image", "inspect", BASE) is None and output_of(docker, "pull", BASE) is None:
            reasons.append(f"{BASE} is not there and cannot be pulled; deploy/docker/base-image makes it")
        else:
            return docker, None
    return None, "no container engine: " + ("; ".join(reasons) or "install Docker")


def docker(*arguments, code=0, **options):
    """Runs a command of the engine; what it prints, errors included."""
    program, reason = engine()
    if program is None:
        missing(reason)
    done = subprocess.run(
        [program, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options,
    )  # fmt: skip
    assert done.returncode == code, f"docker {arguments} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout.strip()


def pack(folder):
    """The server's programs as the tarball of a release has them. The same programs give the same file, which the
    engine then knows already. HOUNSFIELD_RELEASE names a tarball or a wheel to take instead."""
    if named := os.environ.get("HOUNSFIELD_RELEASE"):
        shutil.copy(named, folder)
        return
    programs = folder / "hounsfield-of-the-tests/bin"
    programs.mkdir(parents=True)
    for name in ["serve", "predict"]:
        shutil.copy(built_programs.programs() / name, programs)
    same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--use-compress-program=gzip -1n"]
    archive = folder / "hounsfield-of-the-tests.tar.gz"
    subprocess.run(
        ["tar", "--create", "--file", archive, *same, "--directory", folder, programs.parent.name], check=True
    )
    shutil.rmtree(programs.parent)


def context(folder):
    """What a build needs of the source tree, beside a release: dist/ itself may be changing under other tests."""
    for pattern in ["Cargo.toml", "LICENSE-*", "requirements*.txt", "deploy/docker/*"]:
        for file in PROJECT.glob(pattern):
            copy = folder / file.relative_to(PROJECT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    (folder / "dist").mkdir(parents=True)
    return folder


def build(target, folder):
    """Builds a target of the Dockerfile with deploy/docker/build; the image's name."""
    program, reason = engine()
    if program is None:
        missing(reason)
    image = f"hounsfield-tests-{target}"
    source = context(folder / f"context-{target}")
    if target != "mlflow":
        pack(source / "dist")
    # A registry's settings, which must stay secret.
    settings = source / "pip.conf"
    settings.write_text(f"# {SENTINEL}\n", encoding="utf-8")
    done = subprocess.run(
        [source / "deploy/docker/build", target],
        env=os.environ | {"DOCKER": program, "IMAGE": image, "PIP_CONFIG_FILE": str(settings)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return image


def described(name):
    """What the engine says of a container or an image."""
    return json.loads(docker("inspect", name))[0]
