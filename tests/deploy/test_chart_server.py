"""What the chart tells the server is what the server knows."""

import json
import subprocess
import urllib.request

import pytest

import ci_study
from built_programs import programs
from chart import CHART, of_kind, rendered
from chart_server import configuration, served

# They need no key, and stay inside the cluster.
OPERATORS = {"/healthz", "/metrics", "/readyz"}
# A value for every key of section `serve` that the chart lets through.
EVERY_KEY = {
    "device": "cpu",
    "batch_images": 8,
    "queue_requests": 12,
    "deadline_seconds": 20,
    "idle_seconds": 60,
    "shutdown_seconds": 10,
    "foreign_images": "flag",
    "store": "required",
    "store_images": "all",
    "image_store": "s3://example-hounsfield/images",
    "retention_days": 10,
    "limits": {"body_megabytes": 16, "megapixels": 20, "images": 8, "connections": 64, "requests_per_minute": 0},
    "cors_origins": ["https://ward.example.org"],
    "keys": [{"name": "ward-3", "role": "review", "sha256": "0a" * 32}],
    "retrain_after": 20,
    "training": "job",
    "training_job": {"webhook": "https://jobs.example.org/retrain"},
    "drift": {"window_hours": 12, "least_images": 30, "false_alarm_days": 60},
}


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


def test_the_server_knows_every_key_that_the_chart_lets_through(study, tmp_path):
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert sorted(EVERY_KEY) == sorted(schema["properties"]["serve"]["properties"])
    settings = [f"serve.{key}={json.dumps(value)}" for key, value in EVERY_KEY.items()]
    # Keys of S3 are looked for, and a bucket is not asked before there is an image.
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "eu-central-1"}
    with served(configuration(tmp_path, ["single"], settings), "--model", study.folder / "model", **keys) as url:
        urllib.request.urlopen(f"{url}/readyz", timeout=30).close()


def test_the_ingress_lets_through_what_callers_ask_and_nothing_for_operators():
    made = subprocess.run([programs() / "serve", "openapi"], capture_output=True, text=True, check=True)
    asked = {"/", "/assets/page.js", "/docs/", "/openapi.json", *json.loads(made.stdout)["paths"]}
    rules = of_kind(rendered(["staging"]), "Ingress")["spec"]["rules"][0]["http"]["paths"]

    def passes(path):
        return any(
            path == rule["path"] or (rule["pathType"] == "Prefix" and path.startswith(rule["path"] + "/"))
            for rule in rules
        )

    assert asked >= OPERATORS
    assert {path for path in asked if not passes(path)} == OPERATORS
