"""The command line of `hounsfield search`."""

import argparse
import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..errors import Error
from . import report
from .scorer import Scorer
from .space import Reader, SearchError, read_yaml
from .trials import Trials

WORK = Path("artifacts/search")
EXAMPLE = """\
search.yaml:
  trials: 40
  objective: log_loss        # log_loss | accuracy | auroc, of held-out training images
  space:
    prepare_base.head.kind: [linear, kernel]
    train.solve.strengths: {low: 0.01, high: 100.0}
    train.solve.widths: {low: 0.25, high: 16.0}
    train.solve.cuts: [[block4_pool], [block3_pool, block4_pool, block5_pool]]
    train.class_weights: [none, balanced]

Examples:
  hounsfield search                      the trials of search.yaml; again: goes on where it was stopped
  hounsfield search --workers 2          two trials at a time
  hounsfield search --storage postgresql+psycopg://me@db/trials    on every machine: they share the trials
  hounsfield search --storage journal:/shared/trials.journal       the same by a disk that they share
  hounsfield search --best               trains the best one, as an experiment of DVC

Each trial is scored by grouped cross-validation on the training images. The test set is never looked at.
Exit codes: 0 done, 1 failed, 2 bad usage or search.yaml, 130 stopped by Ctrl-C.
Research use only. Not a medical device."""


def main(arguments: list[str] | None = None) -> int:
    """Runs a search in the study of this folder."""
    options = parser().parse_args(arguments)
    try:
        return search(options)
    except SearchError as error:
        print(f"hounsfield: failed to {error}", file=sys.stderr)
        return 2 if str(error).startswith(str(options.space)) else 1
    except Error as error:
        print(f"hounsfield: failed to search: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hounsfield: stopped; the same command goes on", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="hounsfield search",
        description="Search the parameters of the head by grouped cross-validation, never by the test set.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--space", type=Path, default=Path("search.yaml"), metavar="FILE", help="what is searched")
    made.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="what stays as it is")
    made.add_argument("--trials", type=int, metavar="N", help="how many trials [search.yaml: trials]")
    made.add_argument("--workers", type=int, default=1, metavar="N", help="trials at a time on this machine")
    made.add_argument(
        "--storage",
        default=os.environ.get("HOUNSFIELD_SEARCH_STORAGE", f"sqlite:///{WORK}/trials.db"),
        metavar="ADDRESS",
        help="where trials are kept: sqlite:///FILE, journal:FILE, or a PostgreSQL that machines share",
    )
    made.add_argument("--best", action="store_true", help="train the best trial, by dvc exp run")
    made.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return made


def search(options: argparse.Namespace) -> int:
    space = Reader(options.space).read()
    if options.trials:
        space = dataclasses.replace(space, trials=options.trials)
    params = read_yaml(options.params)
    check(params, options.params)
    scorer = Scorer(Path.cwd(), params, WORK.absolute())
    WORK.mkdir(parents=True, exist_ok=True)
    trials = Trials(space, params, scorer, options.storage, inputs())
    others = [] if options.worker else start_others(options)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        trials.run()
        for other in others:
            other.wait()
        if options.worker:
            return 0
        print(f"{len(trials.counted())} trials; how much is the best of them flattered?", file=sys.stderr)
        nested = report.nest(trials) if space.nested else None
    finally:
        for other in others:
            other.terminate()
        scorer.close()
    made = report.write(trials, nested, WORK)
    if os.environ.get("MLFLOW_TRACKING_URI"):
        report.track(trials, made, WORK)
    print(report.in_words(made))
    if options.best:
        return subprocess.run(["sh", "-c", made["command"]], check=False).returncode
    return 0


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def check(params: dict[str, Any], path: Path) -> None:
    """Refuses a study whose head is not solved on a frozen base."""
    for section in ("prepare_base", "train"):
        if not isinstance(params.get(section), dict):
            raise SearchError(f"read {path}: it has no section {section}")
    if not isinstance(params["train"].get("solve"), dict):
        raise SearchError(
            f"search: {path} has no train.solve; trials are heads that are solved: "
            "prepare_base.head.kind linear or kernel"
        )


def inputs() -> str:
    """A digest of the images and of the base: other ones are another search."""
    digest = hashlib.sha256()
    for name in ("artifacts/data_validation/manifest.csv", "artifacts/base_model/architecture.json"):
        try:
            digest.update(Path(name).read_bytes())
        except OSError as error:
            raise SearchError(
                f"search: {name} cannot be read ({error.strerror}); run dvc repro prepare-base validate first"
            ) from error
    return digest.hexdigest()


def start_others(options: argparse.Namespace) -> list[subprocess.Popen[bytes]]:
    """The other workers of this machine."""
    if options.workers < 1:
        raise SearchError("search: --workers needs 1 or more")
    command = [sys.executable, "-m", "hounsfield.search", "--worker", "--storage", options.storage]
    command += ["--space", str(options.space), "--params", str(options.params)]
    if options.trials:
        command += ["--trials", str(options.trials)]
    return [subprocess.Popen(command) for _ in range(options.workers - 1)]


if __name__ == "__main__":
    sys.exit(main())
