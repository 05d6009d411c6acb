"""Prints the scores that evaluate wrote, what they are worth first: scripts/scores.py FILE [LEDGER]

LEDGER is the project's test_looks.jsonl, which tells how many models were scored on which test set.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Scores = dict[str, Any]

COLUMNS = ("precision", "recall", "f1", "auroc")


def number(value: float | None, sign: str = "") -> str:
    """Four digits; a dash for what is undefined."""
    return "–" if value is None else f"{value:{sign}.4f}"


def worth(scores: Scores) -> Iterator[str]:
    """What the score is worth, in a few lines."""
    told = scores["worth"]
    yield told["in_words"]
    for part in ("waterfall", "look_alikes"):
        if found := told.get(part):
            yield found["in_words"]
    if rest := told["without_copies"]:
        accuracy = number(rest["accuracy"]["value"])
        yield (
            f"Without the {rest['left_out']} images that training has copies of: accuracy "
            f"{accuracy} on {rest['images']}."
        )
    leak = told["leak"]
    if leak["outcome"] == "measured":
        yield leak["in_words"]
    elif leak["outcome"] == "not_measured":
        yield f"What the copies are worth was not measured: {leak['reason']}."


def table(scores: Scores) -> Iterator[str]:
    """One class a line, then the averages."""
    rows = list(scores["classes"].items())
    rows += [(f"{name} average", scores[name]) for name in ("macro", "weighted")]
    width = max(len(name) for name, _ in rows)
    yield " ".join([" " * width, *(f"{column:>9}" for column in (*COLUMNS, "images"))])
    for name, values in rows:
        # An average has the AUROC of all classes, and stands for all images.
        auroc = values.get("auroc") if "support" in values else None
        cells = [number(values.get(column)) for column in COLUMNS[:-1]] + [number(auroc)]
        images = values.get("support", scores["images"])
        note = f"  {values['note']}" if values.get("note") else ""
        yield " ".join([f"{name:{width}}", *(f"{cell:>9}" for cell in cells), f"{images:9}"]) + note


def totals(scores: Scores) -> Iterator[str]:
    """The figures that stand for the whole."""
    interval = scores["intervals"]["accuracy"]
    ends = f" (95 % interval {interval['low']:.3f} to {interval['high']:.3f})" if interval else ""
    yield f"accuracy {number(scores['accuracy'])}{ends} on {scores['images']} test images"
    yield f"AUROC {number(scores['auroc'])}, loss {number(scores['loss'])}"
    yield f"Counted {scores['worth']['unit']}."


def looks(scores: Scores, ledger: Path) -> Iterator[str]:
    """How many different models were scored on this test set."""
    rows = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines() if line.strip()]
    sets = {row["test_set"] for row in rows if row["model"] == scores["model"]}
    models = {row["model"] for row in rows if row["test_set"] in sets}
    if len(models) > 1:
        yield (
            f"This test set was scored with {len(models)} different models. Whoever keeps the best of them "
            "has chosen by the test set: rank by dvc exp show (model/metrics.json) instead."
        )
    elif models:
        yield "This test set was scored with one model."


def main() -> None:
    with Path(sys.argv[1]).open(encoding="utf-8") as file:
        scores: Scores = json.load(file)
    for part in (worth, table, totals):
        print(*part(scores), sep="\n", end="\n\n")
    ledger = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if ledger and ledger.exists():
        print(*looks(scores, ledger), sep="\n", end="\n\n")
    print("Research use only. Not a medical device.")


if __name__ == "__main__":
    main()
