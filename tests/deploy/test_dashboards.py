"""The dashboards: current, as Grafana's types want them, and with data in every panel. The data are those of a real
Prometheus that reads real servers under load.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_dashboards.py
"""

import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from monitoring_programs import ROOT, wait_until
from monitoring_prometheus import MONITORING, prometheus
from monitoring_registry import mlflow, register
from monitoring_server import Server, loaded

pytest_plugins = ["monitoring_fixtures"]

NODE = Path(__file__).resolve().parent / "node"
GRAFANA = MONITORING / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
DASHBOARDS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in FILES}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
# Of these Grafana makes its ids of units: node_modules/@grafana/data of 13.2 has them.
UNITS = {"none", "s", "reqps", "percentunit"}
# Some panels show how fast something grows: Prometheus has to read the server a few times.
FILLED_IN_SECONDS = 30
METRIC = re.compile(r"\bhounsfield_[a-z_]+")
PARTS = re.compile(r"_(bucket|sum|count)$")


def typed(dashboard, folder, node_modules):
    """What TypeScript finds in a dashboard."""
    check = f"import type {{ WrittenDashboard }} from '{NODE}/written_dashboard.ts';\n"
    check += f"const dashboard: WrittenDashboard = {json.dumps(dashboard, indent=2)};\nexport default dashboard;\n"
    (folder / "dashboard.ts").write_text(check, encoding="utf-8")
    options = {
        "noEmit": True, "allowImportingTsExtensions": True, "strict": True, "skipLibCheck": True, "types": [],
        "target": "es2023", "module": "esnext", "moduleResolution": "bundler",
        "paths": {"@grafana/schema": [f"{node_modules}/@grafana/schema"],
                  "@grafana/schema/*": [f"{node_modules}/@grafana/schema/*"]},
    }  # fmt: skip
    config = {"compilerOptions": options, "files": ["dashboard.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(config), encoding="utf-8")
    done = subprocess.run([node_modules / ".bin/tsc", "--project", folder], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (done.stdout == "")
    return done.stdout


def test_the_files_are_what_the_generator_makes():
    done = subprocess.run(
        [sys.executable, GRAFANA / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(DASHBOARDS) == {dashboard["uid"] for dashboard in DASHBOARDS.values()}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_as_grafana_types_want_it(name, tmp_path, node_modules):
    assert typed(DASHBOARDS[name], tmp_path, node_modules) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"axisLabel"', '"axislabel"'),
        ('"drawStyle": "line"', '"drawStyle": "lines"'),
        ('"cellHeight"', '"cellHeigth"'),
        ('"graphTooltip": 1', '"graphTooltip": 5'),
        ('"type": "stat"', '"type": "start"'),
    ],
)
def test_a_wrong_dashboard_is_noticed(right, wrong, tmp_path, node_modules):
    text = json.dumps(DASHBOARDS["hounsfield-service"])
    assert right in text
    assert "error TS" in typed(json.loads(text.replace(right, wrong, 1)), tmp_path, node_modules)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_title_a_description_a_unit_and_an_axis(panel):
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    if panel["type"] == "timeseries":
        assert panel["fieldConfig"]["defaults"]["custom"]["axisLabel"]
    if panel["type"] == "heatmap":
        assert panel["options"]["yAxis"]["axisLabel"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_do_not_overlap(name):
    cells = [
        (x, y)
        for panel in DASHBOARDS[name]["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.fixture(scope="module")
def watched(small_model, tmp_path_factory):
    """Prometheus, and a server that follows the registry, with more clients than places in its queue."""
    folder = tmp_path_factory.mktemp("watched")
    for name in ["prometheus", "mlflow"]:
        (folder / name).mkdir()
    with mlflow(folder / "mlflow") as registry:
        register(small_model, folder / "registered", registry)
        settings = {"follow": {"poll_seconds": 1}, "training": "off", "store": "best_effort", "queue_requests": 2}
        server = Server(small_model, folder / "served", {"MLFLOW_TRACKING_URI": registry}, **settings)
        try:
            server.make_yesterday_drift()
            with prometheus(folder / "prometheus", server.address) as watching, loaded(server, clients=4) as statuses:
                wait_until(lambda: {200, 429} <= statuses, lambda: f"the server answered {statuses} only")
                watching.filled_before = time.monotonic() + FILLED_IN_SECONDS
                yield watching, server
        finally:
            server.stop()


def queries(panel):
    """The queries of a panel, with what Grafana puts in place of its variables."""
    for target in panel["targets"]:
        expression = target["expr"]
        for variable, value in {"$__rate_interval": "10s", "$environment": ".*", "$instance": ".*"}.items():
            expression = expression.replace(variable, value)
        assert "$" not in expression
        yield expression


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_data(panel, watched):
    watching, _ = watched
    for query in queries(panel):

        def finite(query=query):
            return [series for series in watching.ask(query) if math.isfinite(float(series["value"][1]))]

        left = watching.filled_before - time.monotonic()
        wait_until(finite, f"{panel['title']} is empty: {query}", seconds=left)


def test_drift_is_seen(watched):
    watching, _ = watched
    assert wait_until(lambda: watching.ask("hounsfield_drift_window_images == 60"), "no window of drift was compared")
    alarms = watching.ask("hounsfield_drift_statistic > hounsfield_drift_limit and hounsfield_drift_alarm == 1")
    assert "class_shares" in {series["metric"]["signal"] for series in alarms}


def test_the_choices_at_the_top_are_not_empty(watched):
    watching, server = watched
    assert watching.values("environment", of='up{job="hounsfield"}') == ["production"]
    assert watching.values("instance", of='up{job="hounsfield"}') == [server.address]


def test_every_metric_is_shown_and_every_metric_shown_or_alarmed_exists(watched):
    _, server = watched
    exported = set(re.findall(r"^(hounsfield_[a-z_]+)[{ ]", server.metrics(), flags=re.MULTILINE))
    shown = {name for panel in PANELS for query in queries(panel.values[0]) for name in METRIC.findall(query)}
    rules = (ROOT / "deploy/monitoring/rules").glob("*.yml")
    alarmed = {
        name
        for file in rules
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        for name in METRIC.findall(rule["expr"])
    }
    assert shown | alarmed <= exported
    assert {PARTS.sub("", name) for name in exported} <= {PARTS.sub("", name) for name in shown}


def test_grafana_finds_the_dashboards_and_prometheus():
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/hounsfield.yml").read_text(encoding="utf-8"))
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text(encoding="utf-8"))
    assert [provider["options"]["path"] for provider in providers["providers"]] == ["/var/lib/grafana/dashboards"]
    (source,) = sources["datasources"]
    assert source["type"] == "prometheus"
    interval = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval
