"""The chart, rendered by the real helm."""

import importlib
import importlib.util
import json
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "deploy/helm/hounsfield"
TOOLS = PROJECT / "deploy/helm/tools"

# Each is what somebody installs: the files, and what is set besides.
INSTALLATIONS = {
    "staging": (["staging"], []),
    "production": (["production"], []),
    "production on GPUs, with a training now": (["production", "gpu"], ["retraining.now=true"]),
    "single": (["single"], []),
    "one that scales by CPU": (["staging"], ["autoscaling.by=cpu"]),
}
DIGEST = "sha256:" + "a1" * 32


@cache
def helm():
    """helm, installed as deploy/helm/README.md shows."""
    done = subprocess.run([TOOLS / "install"], capture_output=True, text=True, check=False)
    if done.returncode:
        assert not os.environ.get("HOUNSFIELD_REQUIRE_HELM"), done.stderr
        pytest.skip(f"helm could not be installed:\n{done.stderr}")
    return TOOLS / "bin/helm"


@cache
def schemas():
    """kubernetes-validate, which has the schemas of every version of Kubernetes."""
    if importlib.util.find_spec("kubernetes_validate") is None:
        assert not os.environ.get("HOUNSFIELD_REQUIRE_HELM"), "kubernetes-validate is not installed"
        pytest.skip("kubernetes-validate is not installed")
    return importlib.import_module("kubernetes_validate")


def run(*arguments):
    """What helm answered."""
    command = [str(part) for part in (helm(), *arguments)]
    return subprocess.run(command, cwd=CHART, capture_output=True, text=True, check=False)


def is_json(text):
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def values_of(files, settings):
    """The arguments that name these files of values, and these settings as `key=value` or `key=<JSON>`."""
    arguments = [word for file in files for word in ("--values", CHART / f"values-{file}.yaml")]
    for setting in settings:
        key, value = setting.split("=", 1)
        # An empty text that is set plainly would take the key away, and half a number would be text.
        value = value or '""'
        arguments += ["--set-json" if is_json(value) else "--set", f"{key}={value}"]
    return arguments


def template(files, settings, *arguments):
    return run("template", "hounsfield", ".", "--namespace", "wards", *values_of(files, settings), *arguments)


def rendered(files, settings=()):
    """The manifests of an installation."""
    done = template(files, settings)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def of_kind(manifests, kind):
    """The only manifest of this kind."""
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def pods(manifests):
    """The pods that the manifests would make, by the kind of what makes them."""
    found = {}
    for manifest in manifests:
        if manifest["kind"] in ("Deployment", "Job"):
            found[manifest["kind"]] = manifest["spec"]["template"]
        elif manifest["kind"] == "CronJob":
            found["CronJob"] = manifest["spec"]["jobTemplate"]["spec"]["template"]
    return found
