"""What the chart tells the server is what the server knows."""

import json
import subprocess
import urllib.request

import pytest

import ci_study
from chart import of_kind, rendered
from chart_server import configuration, served

# They need no key, and stay inside the cluster.
OPERATORS = {"/healthz", "/metrics", "/readyz"}


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return ci_study.made(tmp_path_factory.getbasetemp() / "ci-study")


def metrics_of(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        return answer.read().decode()


def test_a_server_takes_the_configuration_and_answers_the_probes(study, tmp_path):
    with served(configuration(tmp_path, ["single"]), "--model", study.folder / "model") as url:
        container = of_kind(rendered(["single"]), "Deployment")["spec"]["template"]["spec"]["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            urllib.request.urlopen(url + container[probe]["httpGet"]["path"], timeout=30).close()
        # By which KEDA scales.
        assert "\nhounsfield_queue_images 0" in metrics_of(url)
    assert (tmp_path / "predictions.db").exists()


def test_the_ingress_lets_through_what_callers_ask_and_nothing_for_operators():
    made = subprocess.run([ci_study.programs() / "serve", "openapi"], capture_output=True, text=True, check=True)
    asked = {"/", "/assets/page.js", "/docs/", "/openapi.json", *json.loads(made.stdout)["paths"]}
    rules = of_kind(rendered(["staging"]), "Ingress")["spec"]["rules"][0]["http"]["paths"]

    def passes(path):
        return any(
            path == rule["path"] or (rule["pathType"] == "Prefix" and path.startswith(rule["path"] + "/"))
            for rule in rules
        )

    assert asked >= OPERATORS
    assert {path for path in asked if not passes(path)} == OPERATORS
