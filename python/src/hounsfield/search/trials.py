"""The trials of a search: kept by Optuna, in a file or in a database that several machines share."""

import hashlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from .sampling import SameAgain, place
from .scorer import Refused, Scorer
from .space import Objective, SearchError, Space, changed

WORKER = "worker"
STARTED = "started"
SCORES = "scores"
VALUES = "values"
# A trial of another machine that runs longer than this was stopped without a word.
FORGOTTEN_AFTER = timedelta(minutes=30)
# With so few folds a trial is scored first; if it is far behind, that is all.
FIRST_FOLDS = 2
TRIES_TO_OPEN = 4


@dataclass(frozen=True)
class Scored:
    """A finished trial."""

    number: int
    values: dict[str, Any]
    scores: dict[str, Any]
    seconds: float


class Trials:
    """A search that goes on wherever it was stopped, with as many workers as there are."""

    def __init__(self, space: Space, params: Mapping[str, Any], scorer: Scorer, storage: str, inputs: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space = space
        self.params = params
        self.scorer = scorer
        # Another space, other parameters or other images are another search.
        identity = json.dumps([repr(space.keys), space.seed, space.objective, dict(params), inputs], sort_keys=True)
        self.name = "hounsfield-" + hashlib.sha256(identity.encode()).hexdigest()[:12]
        self.study = self.open(storage)

    def open(self, storage: str) -> optuna.Study:
        """The trials so far. Workers that start at the same moment may be in each other's way while they make the
        tables."""
        for attempt in range(TRIES_TO_OPEN):
            try:
                return optuna.create_study(
                    storage=open_storage(storage),
                    study_name=self.name,
                    direction="minimize" if self.space.objective == "log_loss" else "maximize",
                    sampler=SameAgain(self.space.seed),
                    pruner=optuna.pruners.PercentilePruner(75.0, n_startup_trials=10),
                    load_if_exists=True,
                )
            except Exception as error:  # a storage fails in many ways
                if attempt + 1 == TRIES_TO_OPEN:
                    raise SearchError(f"open the trials in {without_password(storage)}: {error}") from error
                time.sleep(0.5)
        raise AssertionError("the last try returns or raises")

    def run(self) -> None:
        """Runs trials until there are enough, and waits for those of others."""
        self.forget_the_dead()
        while self.step():
            pass
        while any(trial.state == TrialState.RUNNING for trial in self.all()):
            self.forget_the_dead()
            time.sleep(0.2)

    def step(self) -> bool:
        """Runs the next trial, if one is due."""
        if len(self.counted()) >= self.space.trials:
            return False
        trial = self.study.ask()
        trial.set_user_attr(STARTED, time.time())
        trial.set_user_attr(WORKER, f"{socket.gethostname()} {os.getpid()}")
        if place(self.study, trial.number) >= self.space.trials:
            # Another worker was faster.
            self.study.tell(trial, state=TrialState.FAIL)
            return False
        try:
            self.score(trial)
        except BaseException:
            # A stop may come after the trial was told, before the log says so.
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        return True

    def score(self, trial: optuna.Trial) -> None:
        values = self.space.suggest(trial, self.params)
        trial.set_user_attr(VALUES, json.dumps(values))
        params = changed(self.params, values)
        began = time.monotonic()
        try:
            known = next((it for it in self.finished() if it.values == values), None)
            scores = known.scores if known else self.scores(trial, values, params)
        except Refused as refused:
            raise SearchError(f"{refused}; trial {trial.number} was {json.dumps(values)}") from refused
        if scores is None:
            self.study.tell(trial, state=TrialState.PRUNED)
            self.tell(trial.number, None, time.monotonic() - began)
            return
        trial.set_user_attr(SCORES, json.dumps(scores))
        trial.set_user_attr("seconds", time.monotonic() - began)
        self.study.tell(trial, number_of(scores, self.space.objective))
        self.tell(trial.number, scores, time.monotonic() - began)

    def scores(self, trial: optuna.Trial, values: Mapping[str, Any], params: dict[str, Any]) -> dict[str, Any] | None:
        """The scores of all folds; none where a few of them show that the trial is far behind."""
        folds = int(params["train"]["solve"]["folds"])
        if folds > FIRST_FOLDS:
            first = changed(params, {"train.solve.folds": FIRST_FOLDS})
            trial.report(number_of(self.scorer.score(values, first), self.space.objective), 0)
            if trial.should_prune():
                return None
        return self.scorer.score(values, params)

    def tell(self, number: int, scores: Mapping[str, Any] | None, seconds: float) -> None:
        said = f"log loss {scores['log_loss']:.4f}, accuracy {scores['accuracy']:.4f}" if scores else "stopped early"
        best = self.best()
        so_far = f"; best so far {best.scores['log_loss']:.4f}, trial {best.number}" if best else ""
        done = min(len(self.counted()), self.space.trials)
        print(f"trial {number}, {done} of {self.space.trials}: {said}, {seconds:.1f} s{so_far}", file=sys.stderr)

    def all(self) -> list[FrozenTrial]:
        trials: list[FrozenTrial] = self.study.get_trials(deepcopy=False)
        return trials

    def counted(self) -> list[FrozenTrial]:
        """Those that were not stopped."""
        return [trial for trial in self.all() if trial.state != TrialState.FAIL]

    def finished(self) -> list[Scored]:
        """Those with all scores, in their order."""
        return [
            Scored(
                trial.number,
                json.loads(trial.user_attrs[VALUES]),
                json.loads(trial.user_attrs[SCORES]),
                float(trial.user_attrs["seconds"]),
            )
            for trial in self.all()
            if trial.state == TrialState.COMPLETE
        ]

    def best(self) -> Scored | None:
        """The first of the best."""
        sign = 1 if self.space.objective == "log_loss" else -1
        return min(self.finished(), key=lambda it: sign * number_of(it.scores, self.space.objective), default=None)

    def forget_the_dead(self) -> None:
        """Gives up trials whose worker is gone."""
        for trial in self.all():
            if trial.state == TrialState.RUNNING and is_dead(trial):
                self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def is_dead(trial: FrozenTrial) -> bool:
    host, _, process = trial.user_attrs.get(WORKER, "").partition(" ")
    if host != socket.gethostname():
        # One that was stopped before it could say who it is has nobody to ask.
        started = trial.user_attrs.get(STARTED) or (trial.datetime_start.timestamp() if trial.datetime_start else 0)
        patience = FORGOTTEN_AFTER if host else timedelta(seconds=10)
        return time.time() - float(started) > patience.total_seconds()
    return not Path(f"/proc/{process}").exists()


def number_of(scores: Mapping[str, Any], objective: Objective) -> float:
    value = scores[objective]
    if value is None:
        raise SearchError(f"search by {objective}: it is not defined here; a class may be too rare")
    return float(value)


def open_storage(address: str) -> optuna.storages.BaseStorage:
    """`journal:FILE` on a disk that machines share, or the address of a database."""
    if address.startswith("journal:"):
        path = Path(address.removeprefix("journal:"))
        path.parent.mkdir(parents=True, exist_ok=True)
        backend = optuna.storages.journal.JournalFileBackend(
            str(path), lock_obj=optuna.storages.journal.JournalFileOpenLock(str(path))
        )
        return optuna.storages.JournalStorage(backend)
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.RDBStorage(address)


def without_password(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://…@{rest.split('@')[-1]}" if "@" in rest else address
