"""A study: its results, and the pipeline that makes them.

Research use only. Not a medical device.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _tool
from .errors import MissingPackage, NotThere, StageFailed, ToolFailed
from .model import Model, load, needed

if TYPE_CHECKING:
    import pandas as pd

RUNNING = re.compile(r"Running stage '(?:.*:)?([^':]+)'")
UNCHANGED = re.compile(r"Stage '(?:.*:)?([^':]+)' (?:didn't change|is cached)")
# A stage that is interrupted ends within a batch; one that does not is killed.
PATIENCE_SECONDS = 60
EXITED = re.compile(r"failed to run: .*exited with (-?\d+)")
# By these, experiments are compared; the best first. None of them has seen the test split.
RANKED_BY = ("cv_accuracy", "valid_accuracy")


class Study:
    """A folder with `dvc.yaml`, `config.yaml` and `params.yaml`, as `hounsfield init` makes it."""

    def __init__(self, path: "str | os.PathLike[str]" = ".") -> None:
        self.path = Path(path)
        if not (self.path / "dvc.yaml").is_file():
            raise NotThere(f"{path} is no study: it has no dvc.yaml; `hounsfield init {path}` makes one")

    def __repr__(self) -> str:
        return f"hounsfield.Study({str(self.path)!r})"

    @property
    def scores(self) -> dict[str, Any]:
        """`scores.json`: what the model scored on the test split, and what that is worth."""
        return dict(json.loads(self._made("artifacts/evaluation/scores.json").read_text(encoding="utf-8")))

    def scores_table(self) -> "pd.DataFrame":
        """Precision, recall, F1 and AUROC of each class, and their averages."""
        scores = self.scores
        rows = {name: scores["classes"][name] for name in scores["classes"]}
        rows |= {f"{name} average": scores[name] | {"support": scores["images"]} for name in ("macro", "weighted")}
        columns = ["precision", "recall", "f1", "auroc", "support"]
        return needed("pandas", "notebooks").DataFrame.from_dict(rows, orient="index").reindex(columns=columns)

    @property
    def predictions(self) -> "pd.DataFrame":
        """A row for each test image: its class, what was predicted, and all probabilities."""
        return self.table("artifacts/evaluation/predictions.csv")

    @property
    def history(self) -> "pd.DataFrame":
        """Loss and accuracy of each epoch, or of the head that was solved."""
        return self.table("model/history.csv")

    @property
    def findings(self) -> dict[str, Any]:
        """`report.json` of `validate`: what it found in the images."""
        return dict(json.loads(self._made("artifacts/data_validation/report.json").read_text(encoding="utf-8")))

    @property
    def report(self) -> Path:
        """The page about the model's score."""
        return self._made("artifacts/evaluation/report.html")

    @property
    def validation_report(self) -> Path:
        """The page about the images."""
        return self._made("artifacts/data_validation/report.html")

    def model(self, **options: Any) -> Model:
        """The study's model; see `hounsfield.load`."""
        return load(self.path, **options)

    def table(self, name: str) -> "pd.DataFrame":
        """A CSV file of the study."""
        return needed("pandas", "notebooks").read_csv(self._made(name))

    def run(
        self, targets: Iterable[str] = (), progress: Callable[[str], object] | None = None, *, force: bool = False
    ) -> list[str]:
        """Runs `dvc repro`, and returns the stages that ran. What has not changed does not run.

        `progress` gets each line of the log. Without it, a notebook shows a line for each stage.
        Raises `StageFailed`, with what the stage said.
        """
        return self._dvc("repro", *(["--force"] if force else []), *targets, progress=progress)

    def try_out(
        self, settings: Mapping[str, Any], name: str | None = None, progress: Callable[[str], object] | None = None
    ) -> list[str]:
        """Runs an experiment with other parameters, in a folder aside: `{"train.seed": 18}`.

        The study's own files stay as they are; see `experiments`.
        """
        changes = [f"--set-param={key}={json.dumps(value)}" for key, value in settings.items()]
        named = ["--name", name] if name else []
        return self._dvc("exp", "run", "--temp", *named, *changes, progress=progress)

    def experiments(self) -> "pd.DataFrame":
        """The study as it is, then its experiments: scores of each on the validation images, best first,
        and the parameters that differ. The test split has no part in it."""
        pandas = needed("pandas", "notebooks")
        shown = self._output("exp", "show", "--json")
        rows = [row for place, part in enumerate(json.loads(shown)) for row in rows_of(part, is_workspace=place == 0)]
        table = pandas.DataFrame(rows)
        settings = [column for column in table if column.startswith("params.")]
        same = [column for column in settings if table[column].map(repr).nunique() == 1]
        table = table.drop(columns=same).rename(columns=lambda column: column.removeprefix("params."))
        ranked = [column for column in RANKED_BY if column in table]
        return table.sort_values(ranked, ascending=False, na_position="last", kind="stable").reset_index(drop=True)

    def _made(self, name: str) -> Path:
        path = self.path / name
        if not path.exists():
            raise NotThere(f"{path} is not there yet; `dvc repro` makes it, or hounsfield.Study(…).run()")
        return path

    def _command(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        environment = _tool.environment() | {"NO_COLOR": "1"}
        dvc = shutil.which("dvc", path=environment["PATH"])
        if dvc is None:
            raise MissingPackage("dvc is not installed; first: pip install hounsfield")
        return [dvc, *arguments], environment

    def _output(self, *arguments: str) -> str:
        command, environment = self._command(*arguments)
        done = subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode != 0:
            raise ToolFailed("dvc", done.returncode, last_error(done.stderr.splitlines()))
        return done.stdout

    def _dvc(self, *arguments: str, progress: Callable[[str], object] | None) -> list[str]:
        """Runs DVC, passes its lines on, and returns the stages that ran."""
        command, environment = self._command(*arguments)
        shown = StageLines() if progress is None and is_notebook() else None
        tell = progress or (shown.tell if shown else str)
        ran: list[str] = []
        log: list[str] = []
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            # An interruption is passed on once, by us, to all of them.
            start_new_session=True,
        )
        with process:
            try:
                for line in process.stdout or ():
                    log.append(line.rstrip("\n"))
                    if found := RUNNING.search(line):
                        ran.append(found[1])
                        log.clear()
                    tell(line.rstrip("\n"))
            except BaseException:
                end(process)
                raise
            finally:
                if shown:
                    shown.end()
        if process.returncode == 0:
            return ran
        if ran and (code := EXITED.search("\n".join(log))):
            raise StageFailed(ran[-1], int(code[1]), _tool.words(ran[-1], without_dvc(log)))
        raise ToolFailed("dvc", process.returncode, last_error(log))


def end(process: "subprocess.Popen[str]") -> None:
    """Interrupts DVC and the stage that it runs, and waits for both, so that no lock stays behind."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def without_dvc(log: list[str]) -> list[str]:
    """What the stage said, without what DVC makes of it."""
    return [line for line in log if not line.startswith(("ERROR: ", "> "))]


def last_error(log: list[str]) -> str:
    """What DVC said went wrong."""
    errors = [line for line in log if line.startswith("ERROR: ")]
    return "\n".join(errors or log[-_tool.LINES_SHOWN :]).strip()


def rows_of(part: Mapping[str, Any], *, is_workspace: bool) -> list[dict[str, Any]]:
    """Rows for a commit and its experiments, from the output of `dvc exp show --json`."""
    revisions = [] if not is_workspace else [("the study", part)]
    for group in part.get("experiments") or []:
        revisions += [(revision.get("name") or revision["rev"][:7], revision) for revision in group["revs"]]
    rows = []
    for name, revision in revisions:
        data = revision.get("data")
        if not data:
            # One that failed or is not done yet.
            rows.append({"experiment": name, "error": (revision.get("error") or {}).get("msg")})
            continue
        row: dict[str, Any] = {"experiment": name}
        for file in (data.get("metrics") or {}).values():
            row |= file.get("data") or {}
        for path, file in (data.get("params") or {}).items():
            if Path(path).name == "params.yaml":
                row |= flat("params", file.get("data") or {})
        rows.append(row)
    return rows


def flat(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested keys with dots between them."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}.{key}"
        found |= flat(name, value) if isinstance(value, Mapping) else {name: value}
    return found


def is_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    shell = sys.modules.get("IPython")
    interactive = shell.get_ipython() if shell else None
    return hasattr(interactive, "kernel")


class StageLines:
    """Prints a line for each stage, with its seconds."""

    def __init__(self) -> None:
        self.stage: str | None = None
        self.began = 0.0

    def tell(self, line: str) -> None:
        """A line of DVC's log."""
        if found := RUNNING.search(line):
            self.end()
            self.stage, self.began = found[1], time.monotonic()
        elif unchanged := UNCHANGED.search(line):
            self.end()
            print(f"{unchanged[1]:14} has not changed")

    def end(self) -> None:
        """The stage that ran has ended."""
        if self.stage:
            print(f"{self.stage:14} {time.monotonic() - self.began:6.1f} s")
            self.stage = None
