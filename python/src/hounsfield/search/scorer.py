"""Scores of trials, by the program `train` on features that it computes once."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .. import _tool
from .space import ARCHITECTURE, IMAGE_SIZE, SearchError, changed, read_yaml


class Refused(SearchError):
    """A trial that cannot be scored."""


class Scorer:
    """A program `train --trials` for each combination of base and image size, started when it is first needed."""

    def __init__(self, study: Path, params: Mapping[str, Any], work: Path) -> None:
        self.study = study
        self.params = params
        self.work = work
        self.programs: dict[tuple[str, int], Trainer] = {}

    def score(self, values: Mapping[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """The cross-validated scores of a trial."""
        return self.program(values).ask("score", trial(params))

    def nest(self, values: Mapping[str, Any], trials: list[dict[str, Any]], how: Mapping[str, Any]) -> dict[str, Any]:
        """The scores of the best of these trials, where it is chosen without the images it is scored on; `how` has
        the number of folds, their seed, and the objective."""
        request = {**how, "trials": [trial(it) for it in trials]}
        return self.program(values).ask("nest", request)

    def program(self, values: Mapping[str, Any]) -> "Trainer":
        prepared = self.params["prepare_base"]
        own = (str(prepared.get("architecture", "vgg16")), int(prepared["image_size"]))
        wanted = (str(values.get(ARCHITECTURE, own[0])), int(values.get(IMAGE_SIZE, own[1])))
        if wanted not in self.programs:
            files = [] if wanted == own else self.other_base(*wanted, values)
            self.programs[wanted] = Trainer(self.study, files)
        return self.programs[wanted]

    def other_base(self, architecture: str, image_size: int, values: Mapping[str, Any]) -> list[str]:
        """Prepares another base beside the study's own, with configuration files that fit it, as arguments."""
        folder = self.work / f"base-{architecture}-{image_size}"
        config = read_yaml(self.study / "config.yaml")
        config.setdefault("paths", {})["base_model"] = str(folder)
        files = []
        for name, content in (("config", config), ("params", changed(self.params, values))):
            path = self.work / f"{name}-{architecture}-{image_size}.yaml"
            path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
            files += [f"--{name}", str(path)]
        _tool.run("prepare-base", "--quiet", *files, cwd=self.study)
        return files

    def close(self) -> None:
        for program in self.programs.values():
            program.close()
        self.programs.clear()


def trial(params: Mapping[str, Any]) -> dict[str, Any]:
    """What `train --trials` reads of a trial's parameters."""
    return {"head": params["prepare_base"]["head"]["kind"], "train": params["train"]}


class Trainer:
    """The program `train --trials`."""

    def __init__(self, study: Path, files: list[str]) -> None:
        self.process = subprocess.Popen(
            [str(_tool.tool()), "train", "--trials", "--quiet", *files],
            cwd=study,
            env=_tool.environment() | {"NO_COLOR": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, what: str, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request; the program's own words go to standard error."""
        process = self.process
        line = ""
        if process.stdin and process.stdout:
            try:
                process.stdin.write(json.dumps({what: request}) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except BrokenPipeError:
                pass
        if not line:
            raise SearchError(f"score a trial: train ended with code {process.wait()}; it says why above")
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise Refused(f"score a trial: {answer['refused']}")
        found: dict[str, Any] = answer[what]
        return found

    def close(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()
