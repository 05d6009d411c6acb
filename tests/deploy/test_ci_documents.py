"""Workflows, scripts and READMEs of delivery name each other as they are."""

import os
import re

import pytest

from ci_servers import PROJECT, SCRIPTS

WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))
READMES = [PROJECT / "deploy/ci/README.md", PROJECT / "deploy/helm/README.md"]
NAMED = re.compile(r"(?<![\w/.])deploy/(?:ci|helm)/[\w./-]*\w")
# What a workflow of another kind, or a person, runs.
USED_ELSEWHERE = {
    "pull-only",
    "targets/host",
    "targets/ec2",
    "targets/chart",
    "metrics_report.py",
    "run_on_instance.py",
}


def scripts():
    return [path for path in sorted(SCRIPTS.rglob("*")) if path.is_file() and os.access(path, os.X_OK)]


@pytest.mark.parametrize("document", [*WORKFLOWS, *READMES], ids=lambda path: path.name)
def test_every_file_that_is_named_is_there(document):
    named = NAMED.findall(document.read_text(encoding="utf-8"))
    assert document in WORKFLOWS or named
    # helm's own are there once they are installed.
    missing = [name for name in named if not (PROJECT / name).exists() and "/tools/bin" not in name]
    # The file of values has the name of the environment.
    assert [name for name in missing if not name.endswith("/values")] == []


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_every_script_says_first_how_it_is_used(script):
    heading = script.read_text(encoding="utf-8").split("\nset -eu", 1)[0].split("\nimport ", 1)[0]
    assert "deploy/ci/" in heading
    assert script.name in heading or script.parent.name == "targets"


def test_every_script_has_a_use():
    text = "".join(workflow.read_text(encoding="utf-8") for workflow in WORKFLOWS)
    unused = {
        str(path.relative_to(SCRIPTS)) for path in scripts() if f"deploy/ci/{path.relative_to(SCRIPTS)}" not in text
    }
    assert unused <= USED_ELSEWHERE


def test_no_workflow_stores_a_key_of_a_cloud():
    """Secrets are the key of the smoke test and the registry's token; every cloud is reached by OIDC."""
    for workflow in WORKFLOWS:
        named = set(re.findall(r"secrets\.(\w+)", workflow.read_text(encoding="utf-8")))
        assert named <= {"HOUNSFIELD_KEY", "MLFLOW_TRACKING_TOKEN"}, workflow.name
