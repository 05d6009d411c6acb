"""A study: the folder that `hounsfield init` makes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

TIMEOUT_SECONDS = 60
# What `register --json` printed last.
REGISTERED = "artifacts/airflow/register.json"


class StudyUnusable(Exception):
    """The study, or what its configuration names, is not as it has to be."""


class Study:
    """A folder with `config.yaml`, and the results that the stages wrote into it."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not (self.folder / "dvc.yaml").is_file():
            raise StudyUnusable(
                f"{self.folder} has no dvc.yaml; name the folder that hounsfield init made in the variable "
                "hounsfield_study"
            )
        self.name = self.folder.resolve().name

    @property
    def notes(self) -> Path:
        """A folder for what the DAGs remember. Neither git nor DVC tracks it."""
        folder = self.folder / "artifacts" / "airflow"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def data(self) -> dict[str, Any]:
        """Section `data` of config.yaml."""
        path = self.folder / "config.yaml"
        try:
            config = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise StudyUnusable(f"{path} cannot be read: {error}") from error
        data = config.get("data") if isinstance(config, dict) else None
        if not isinstance(data, dict):
            raise StudyUnusable(f"{path} has no section data")
        return data

    def classes(self) -> list[str]:
        """The names of its classes."""
        return list(self.data()["classes"])

    def corrections_folder(self) -> Path:
        """The folder in which `ingest` looks for corrections."""
        name = self.data().get("corrections")
        if not name:
            raise StudyUnusable(
                f"data.corrections in {self.folder}/config.yaml names no folder, so that no correction can be learnt; "
                "set it to corrections"
            )
        return self.folder / str(name)

    def check_source(self) -> str:
        """Looks whether the scans are where config.yaml says. Returns in words what was found.

        # Raises
        StudyUnusable when they are not.
        """
        source = self.data().get("source") or {}
        match source.get("kind"):
            case "local":
                return self._check_local(source["path"])
            case "url":
                return _check_address(source["url"])
            case "sample":
                return "the synthetic sample, which ingest draws"
            case kind:
                return f"{kind}: nobody but ingest can check it, with its credentials"

    def _check_local(self, name: str) -> str:
        path = self.folder / name
        if path.is_dir() and any(entry.name != "README.md" for entry in path.iterdir()):
            return f"the folder {path}"
        if path.is_file() and path.stat().st_size:
            return f"the file {path}"
        raise StudyUnusable(
            f"{path} is missing or empty, which data.source.path in config.yaml names; bring the scans back, with dvc "
            "pull if a remote has them"
        )

    def result(self, path: str) -> Any:
        """A JSON file that a stage wrote."""
        file = self.folder / path
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StudyUnusable(f"{file} cannot be read: {error}") from error

    def registered(self) -> dict[str, Any]:
        """How the last registration ended: `outcome`, `version`, and mostly a `reason`."""
        return {"reason": "it is the champion already", **self.result(REGISTERED)}

    def weights(self) -> str:
        """SHA-256 of the weights of the model in `model/`."""
        return str(self.result("model/model.json")["digests"]["weights"])


def _check_address(address: str) -> str:
    request = urllib.request.Request(address, headers={"Range": "bytes=0-0"})
    # The address may hold a login or a signature.
    shown = address.split("?", 1)[0].split("@", 1)[-1]
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            answer.read(1)
    except (OSError, ValueError) as error:
        raise StudyUnusable(f"{shown} does not answer, which data.source.url in config.yaml names: {error}") from error
    return f"the address {shown}"
