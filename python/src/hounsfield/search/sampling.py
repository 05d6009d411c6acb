"""Which trial comes next: the same in every search with the same seed, however often it was stopped."""

import hashlib
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

# Trials that are drawn before any are learnt from.
FIRST_TRIALS = 10


class SameAgain(BaseSampler):
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), seeded anew for each trial by the search's
    seed and the trial's place. A trial that was stopped leaves its place to the next one."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.inner: dict[int, TPESampler] = {}

    def of(self, study: Study, trial: FrozenTrial) -> TPESampler:
        if trial.number not in self.inner:
            text = f"{self.seed} {place(study, trial.number)}"
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
            self.inner = {
                trial.number: TPESampler(
                    seed=seed, n_startup_trials=FIRST_TRIALS, multivariate=True, constant_liar=True
                )
            }
        return self.inner[trial.number]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        space: dict[str, BaseDistribution] = self.of(study, trial).infer_relative_search_space(study, trial)
        return space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        drawn: dict[str, Any] = self.of(study, trial).sample_relative(study, trial, search_space)
        return drawn

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.of(study, trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        pass


def place(study: Study, number: int) -> int:
    """A trial's place among those that were not stopped, from 0."""
    trials = study.get_trials(deepcopy=False)
    return sum(trial.number < number and trial.state != optuna.trial.TrialState.FAIL for trial in trials)
