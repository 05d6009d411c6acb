#!/usr/bin/env python3
"""What a run changed, in Markdown for a pull request.

    deploy/ci/metrics_report.py origin/main >report.md

Compares the workspace with another commit by the scores of the cross-validation and of the validation images. The test
images have no part in it: a choice that is made by them makes their score worthless. Charts are Mermaid, which GitHub
draws itself, so no picture has to be kept anywhere. Run it in the study; DVC names the program dvc.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIRST = "valid_accuracy"
SEEN = ("valid_", "cv_")
ERROR = "_standard_error"
HISTORY = Path("model/history.csv")
LOSS = "valid_loss"
# Rounded to these digits, two scores are the same.
DIGITS = 4


class Failed(Exception):
    """DVC could not compare."""


@dataclass(frozen=True)
class Score:
    """A score before and after; None where there is none."""

    name: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float | None:
        return None if self.before is None or self.after is None else round(self.after - self.before, DIGITS)

    @property
    def gain(self) -> float | None:
        """More is better."""
        if self.difference is None:
            return None
        return -self.difference if self.name.endswith("loss") else self.difference

    @property
    def verdict(self) -> str:
        if self.gain is None:
            return "new" if self.before is None else "gone"
        return "better" if self.gain > 0 else "worse" if self.gain < 0 else "the same"


def dvc(*arguments: str) -> str:
    """What DVC prints."""
    done = subprocess.run([os.environ.get("DVC", "dvc"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"dvc {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def differences(what: str, base: str) -> dict[str, Any]:
    """`dvc metrics diff` or `dvc params diff`: old and new by name."""
    arguments = [what, "diff", "--json", *(["--all"] if what == "metrics" else []), base]
    found: dict[str, Any] = {}
    for file in json.loads(dvc(*arguments) or "{}").values():
        found |= file
    return found


def scores_of(found: dict[str, Any]) -> list[Score]:
    """The scores that a choice may be made by, the first one first."""
    scores = [
        Score(name, number(change.get("old")), number(change.get("new")))
        for name, change in found.items()
        if name.startswith(SEEN) and not name.endswith(ERROR)
    ]
    return sorted(scores, key=lambda score: (score.name != FIRST, not score.name.startswith("valid_"), score.name))


def number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def shown(value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return "—"
    return f"{value:{'+' if sign else ''}.{DIGITS}f}".replace("-", "−")


def headline(scores: list[Score]) -> str:
    """The first score in a sentence."""
    first = next((score for score in scores if score.name == FIRST), None)
    if first is None or first.gain is None:
        return f"**{FIRST} cannot be compared.**"
    return (
        f"**{FIRST} is {first.verdict}: {shown(first.after)} after {shown(first.before)} "
        f"({shown(first.difference, sign=True)}).**"
    )


def remarks(scores: list[Score], found: dict[str, Any]) -> Iterable[str]:
    """Differences that are smaller than their standard error."""
    for score in scores:
        error = number(found.get(score.name + ERROR, {}).get("new"))
        if error is not None and score.gain and abs(score.gain) < error:
            yield f"The difference of {score.name} is below its standard error of {shown(error)}, so it may be chance."


def table(scores: list[Score]) -> list[str]:
    rows = [
        f"| {score.name} | {shown(score.before)} | {shown(score.after)} | {shown(score.difference, sign=True)} "
        f"| {score.verdict} |"
        for score in scores
    ]
    return ["| score | before | after | difference | |", "|---|---|---|---|---|", *rows]


def parameters(found: dict[str, Any]) -> list[str]:
    """The parameters that differ."""
    rows = [
        f"| `{name}` | `{json.dumps(change.get('old'))}` | `{json.dumps(change.get('new'))}` |"
        for name, change in sorted(found.items())
    ]
    return ["", "| parameter | before | after |", "|---|---|---|", *rows] if rows else []


def bars(scores: list[Score]) -> list[str]:
    """Shares before and after, as a chart."""
    shares = [score for score in scores if score.gain is not None and not score.name.endswith("loss")]
    if not shares:
        return []
    names = ", ".join(f'"{score.name}"' for score in shares)
    lowest = min(min(score.before or 0, score.after or 0) for score in shares)
    return [
        "",
        "```mermaid",
        "xychart-beta",
        '    title "Scores after (bars) and before (line)"',
        f"    x-axis [{names}]",
        f"    y-axis {max(0.0, lowest - 0.1):.2f} --> 1",
        f"    bar [{', '.join(f'{score.after:.4f}' for score in shares)}]",
        f"    line [{', '.join(f'{score.before:.4f}' for score in shares)}]",
        "```",
    ]


def losses_of(file: Path) -> list[float]:
    """The validation loss of each epoch; none where there is no history."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as rows:
        return [float(row[LOSS]) for row in csv.DictReader(rows) if row.get(LOSS)]


def losses_at(base: str) -> list[float]:
    """The same of another commit, from DVC's cache or its remote."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.csv"
        try:
            dvc("get", ".", str(HISTORY), "--rev", base, "--out", str(file))
        except Failed:
            return []
        return losses_of(file)


def curve(before: list[float], after: list[float]) -> list[str]:
    """The validation loss over the epochs; one epoch is no curve."""
    if len(after) < 2:
        return []
    length = max(len(after), len(before))
    lines = [f"    line [{', '.join(f'{loss:.4f}' for loss in losses)}]" for losses in (after, before) if losses]
    title = "Validation loss: after, and before" if len(lines) == 2 else "Validation loss"
    epochs = ", ".join(str(epoch) for epoch in range(1, length + 1))
    return ["", "```mermaid", "xychart-beta", f'    title "{title}"', f'    x-axis "epoch" [{epochs}]', *lines, "```"]


def report(base: str) -> str:
    """The whole report."""
    found = differences("metrics", base)
    scores = scores_of(found)
    lines = [headline(scores), "", *table(scores), "", *remarks(scores, found)]
    lines += parameters(differences("params", base))
    lines += bars(scores)
    lines += curve(losses_at(base), losses_of(HISTORY))
    lines += ["", "The test images have no part in this comparison. Research use only. Not a medical device."]
    return "\n".join(lines)


def main(words: list[str]) -> int:
    if len(words) != 1:
        print("metrics_report: say which commit to compare with, such as origin/main", file=sys.stderr)
        return 2
    try:
        print(report(words[0]))
    except (Failed, OSError, ValueError) as error:
        print(f"metrics_report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
