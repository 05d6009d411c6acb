"""The alert rules: promtool's own tests of them, and whether those tests notice a rule that is wrong.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_alerts.py
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from monitoring_programs import ROOT, installed

MONITORING = ROOT / "deploy/monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yml"))
CASES = Path(__file__).resolve().parent / "alerts"
ALERTS = [
    pytest.param(file, rule, id=rule["alert"])
    for file in RULES
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]


@pytest.fixture(scope="session")
def promtool():
    return installed("promtool", "prometheus", "HOUNSFIELD_REQUIRE_PROMETHEUS")


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def test_prometheus_accepts_its_configuration(promtool):
    done = run(promtool, "check", "config", MONITORING / "prometheus.yml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("rules found") == len(RULES)


@pytest.mark.parametrize("rules", RULES, ids=lambda file: file.stem)
def test_each_alert_fires_when_it_should_and_only_then(promtool, rules):
    done = run(promtool, "test", "rules", CASES / rules.name)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("file", "rule"), ALERTS)
@pytest.mark.parametrize(("wrong", "expression"), [("never fires", "vector(0) > 1"), ("always fires", "vector(1)")])
def test_the_cases_notice_a_wrong_rule(promtool, tmp_path, file, rule, wrong, expression):
    rules = yaml.safe_load(file.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for other in group["rules"]:
            if other["alert"] == rule["alert"]:
                other |= {"expr": expression, "for": "0s"}
    (tmp_path / file.name).write_text(yaml.safe_dump(rules), encoding="utf-8")
    cases = yaml.safe_load((CASES / file.name).read_text(encoding="utf-8")) | {"rule_files": [file.name]}
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases), encoding="utf-8")
    done = run(promtool, "test", "rules", tmp_path / "cases.yml")
    assert done.returncode != 0, f"no case notices that {rule['alert']} {wrong}"
    assert rule["alert"] in done.stdout + done.stderr


@pytest.mark.parametrize(("file", "rule"), ALERTS)
def test_each_alert_says_what_to_do_and_is_in_the_readme(file, rule):
    assert set(rule["annotations"]) == {"summary", "description", "what_to_do"}, file
    readme = (MONITORING / "README.md").read_text(encoding="utf-8")
    assert f"| `{rule['alert']}` | {rule['labels']['severity']} |" in readme


def test_the_readme_names_no_alert_that_is_gone():
    readme = (MONITORING / "README.md").read_text(encoding="utf-8")
    named = {line.split("`")[1] for line in readme.splitlines() if line.startswith("| `Hounsfield")}
    assert named == {alert.id for alert in ALERTS}
