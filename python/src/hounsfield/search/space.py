"""`search.yaml`: which keys of `params.yaml` are searched, and where."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
import yaml

from ..errors import Error

Objective = Literal["log_loss", "accuracy", "auroc"]
OBJECTIVES = ("log_loss", "accuracy", "auroc")

KIND = "prepare_base.head.kind"
ARCHITECTURE = "prepare_base.architecture"
IMAGE_SIZE = "prepare_base.image_size"
STRENGTHS = "train.solve.strengths"
WIDTHS = "train.solve.widths"
CUTS = "train.solve.cuts"
CLASS_WEIGHTS = "train.class_weights"
# Those that change what the head reads: each combination has features of its own.
OF_FEATURES = (ARCHITECTURE, IMAGE_SIZE)
KEYS = (KIND, *OF_FEATURES, STRENGTHS, WIDTHS, CUTS, CLASS_WEIGHTS)
NUMBERS = (STRENGTHS, WIDTHS)


class SearchError(Error):
    """A search that is not set up rightly, or cannot go on."""


class Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as for the programs and in YAML 1.2. To PyYAML it is text."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


@dataclass(frozen=True)
class Range:
    """Any number from `low` to `high`, on a logarithmic scale where `log` says so."""

    low: float
    high: float
    log: bool


@dataclass(frozen=True)
class Choices:
    """One of a few values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Space:
    """A search: how many trials, by which score, over what."""

    trials: int
    seed: int
    objective: Objective
    nested: bool
    # By key; the sets of cut points also by architecture, where that is searched.
    keys: dict[str, Range | Choices | dict[str, Choices]]

    def suggest(self, trial: optuna.Trial, params: Mapping[str, Any]) -> dict[str, Any]:
        """A value for each key that matters to this trial, as `params.yaml` holds it."""
        values: dict[str, Any] = {}
        for key in KEYS:
            if key not in self.keys or (key == WIDTHS and kind_of(values, params) != "kernel"):
                continue
            domain = self.keys[key]
            name = key
            if isinstance(domain, dict):
                architecture = values[ARCHITECTURE]
                domain, name = domain[architecture], f"{key}[{architecture}]"
            value = suggested(trial, name, domain)
            values[key] = [value] if key in NUMBERS else [value] if key == CUTS else value
        if kind_of(values, params) == "linear":
            values[WIDTHS] = []
        return values


def kind_of(values: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """The kind of head, of a trial or else of `params.yaml`."""
    return str(values.get(KIND, params["prepare_base"]["head"]["kind"]))


def suggested(trial: optuna.Trial, name: str, domain: Range | Choices) -> Any:
    if isinstance(domain, Range):
        return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
    # Optuna's choices are text or numbers; a set of cut points is neither.
    place = trial.suggest_categorical(name, [str(value) for value in domain.values])
    return next(value for value in domain.values if str(value) == place)


def changed(params: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`params.yaml` with these values."""
    made: dict[str, Any] = copy.deepcopy(dict(params))
    for key, value in values.items():
        *sections, last = key.split(".")
        section = made
        for name in sections:
            section = section[name]
        section[last] = value
    return made


def read_yaml(path: Path) -> dict[str, Any]:
    """A file with one mapping."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except FileNotFoundError:
        raise SearchError(f"read {path}: no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SearchError(f"read {path}: {error}") from error
    if not isinstance(content, dict):
        raise SearchError(f"read {path}: expected keys with values")
    return content


class Reader:
    """Reads a space, and says where it is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, key: str, found: object, expected: str) -> SearchError:
        return SearchError(f"{self.path}: {key} is {found!r}; expected {expected}")

    def read(self) -> Space:
        content = read_yaml(self.path)
        known = ("trials", "seed", "objective", "nested", "space")
        for key in content:
            if key not in known:
                raise self.refuse(str(key), content[key], f"no such key, but {', '.join(known)}")
        trials, seed = content.get("trials", 40), content.get("seed", 17)
        if type(trials) is not int or trials < 1:
            raise self.refuse("trials", trials, "a number of trials, 1 or more")
        if type(seed) is not int or seed < 0:
            raise self.refuse("seed", seed, "a whole number, 0 or more")
        objective = content.get("objective", "log_loss")
        if objective not in OBJECTIVES:
            raise self.refuse("objective", objective, f"one of {', '.join(OBJECTIVES)}")
        nested = content.get("nested", True)
        if type(nested) is not bool:
            raise self.refuse("nested", nested, "true or false")
        space = content.get("space")
        if not isinstance(space, dict) or not space:
            raise self.refuse("space", space, "keys of params.yaml, each with choices or a range")
        keys = {str(key): self.domain(str(key), value) for key, value in space.items()}
        self.check_cuts(keys)
        return Space(trials, seed, objective, nested, keys)

    def domain(self, key: str, value: object) -> Range | Choices | dict[str, Choices]:
        if key not in KEYS:
            raise SearchError(
                f"{self.path}: space.{key} cannot be searched: heads that are solved are scored, by {', '.join(KEYS)}; "
                f"queue other keys with dvc exp run --queue -S {key}=…"
            )
        name = f"space.{key}"
        if isinstance(value, dict) and key == CUTS:
            return {str(base): self.choices(f"{name}.{base}", sets, CUTS) for base, sets in value.items()}
        if isinstance(value, dict):
            return self.range(name, key, value)
        return self.choices(name, value, key)

    def range(self, name: str, key: str, value: dict[Any, Any]) -> Range:
        if key not in NUMBERS:
            raise self.refuse(name, value, "a list of choices")
        if extra := set(value) - {"low", "high", "log"}:
            raise self.refuse(name, sorted(map(str, extra)), "low, high and log")
        low: Any = value.get("low")
        high: Any = value.get("high")
        log = value.get("log", True)
        are_numbers = all(isinstance(it, (int, float)) and not isinstance(it, bool) for it in (low, high))
        if not are_numbers or type(log) is not bool or not 0 < low < high:
            raise self.refuse(name, value, "{low: 0.01, high: 100.0, log: true}, above 0 and ascending")
        return Range(float(low), float(high), log)

    def choices(self, name: str, value: object, key: str) -> Choices:
        if not isinstance(value, list) or not value:
            raise self.refuse(name, value, "a list of choices, or for numbers {low, high, log}")
        of_sets = key == CUTS
        for choice in value:
            is_set = isinstance(choice, list) and bool(choice) and all(isinstance(it, str) for it in choice)
            if of_sets != is_set or (key in NUMBERS and not isinstance(choice, (int, float))):
                expected = "sets of cut points, such as [[block4_pool], [block4_pool, block5_pool]]"
                raise self.refuse(name, choice, expected if of_sets else "one value")
        texts = [str(choice) for choice in value]
        if len(set(texts)) < len(texts):
            raise self.refuse(name, value, "each choice once")
        return Choices(tuple(value))

    def check_cuts(self, keys: dict[str, Range | Choices | dict[str, Choices]]) -> None:
        """Cut points have the names of their base."""
        architectures = keys.get(ARCHITECTURE)
        if not isinstance(architectures, Choices):
            if isinstance(keys.get(CUTS), dict):
                raise SearchError(f"{self.path}: space.{CUTS} has sets by base, but {ARCHITECTURE} is not searched")
            return
        cuts = keys.get(CUTS)
        for base in architectures.values:
            if not isinstance(cuts, dict) or base not in cuts:
                raise SearchError(
                    f"{self.path}: space.{CUTS} has no sets for {base}: where {ARCHITECTURE} is searched, "
                    f"give each base its own, as {{{base}: [[…], […]]}}"
                )
