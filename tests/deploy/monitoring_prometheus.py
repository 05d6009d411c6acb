"""Prometheus with the project's configuration, in a temporary folder."""

import contextlib
import json
import re
import shutil
import urllib.parse
import urllib.request

import yaml

from mlflow_server import free_port
from monitoring_programs import ROOT, answers, installed, running

MONITORING = ROOT / "deploy/monitoring"


class Prometheus:
    """A Prometheus that runs at this address."""

    def __init__(self, address):
        self.address = address

    def ask(self, query):
        """The series of a query, now."""
        return self.get("query", query=query)["result"]

    def values(self, label, of):
        """The values of a label of some series."""
        return self.get(f"label/{label}/values", **{"match[]": of})

    def get(self, what, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{what}?{query}", timeout=10) as response:
            return json.load(response)["data"]


@contextlib.contextmanager
def prometheus(folder, *servers, alerts_to=None, at_once=False):
    """Prometheus that reads these servers each second. With `at_once`, alerts do not wait until something has
    lasted."""
    program = installed("prometheus", "prometheus", "HOUNSFIELD_REQUIRE_PROMETHEUS")
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["scrape_timeout"] = "1s"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    shutil.copytree(MONITORING / "rules", folder / "rules")
    if at_once:
        for rules in (folder / "rules").iterdir():
            rules.write_text(re.sub(r"for: \w+", "for: 0s", rules.read_text(encoding="utf-8")), encoding="utf-8")
    targets = folder / "targets"
    shutil.copytree(MONITORING / "targets", targets)
    place_targets(targets / "hounsfield.yml", servers)
    place_targets(targets / "alertmanager.yml", [alerts_to] if alerts_to else [])
    address = f"127.0.0.1:{free_port()}"
    command = [
        program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}", "--log.level=warn",
    ]  # fmt: skip

    with running(command, folder / "log", lambda: answers(f"http://{address}/-/ready")):
        yield Prometheus(address)


def place_targets(file, addresses):
    """Writes other addresses into a file of targets, and leaves its labels."""
    targets = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert len(targets) == 1, file
    file.write_text(yaml.safe_dump([targets[0] | {"targets": list(addresses)}]), encoding="utf-8")
