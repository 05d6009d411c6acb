"""Measures heads that are solved beside scikit-learn on the same features.

    make bench-heads
    .venv-reference/bin/python bench/heads.py --images 685,7000,100000 --rounds 1
    .venv-reference/bin/python bench/heads.py --features features.npz

Features are drawn: clusters of each class in eight hidden dimensions, 1,472 features of them with
noise. `--features` takes a file of NumPy with `features` [images, columns] in fp32 and `labels`
instead; a third of it is held out. Writes bench/results-heads.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

import machine
from measure import NotMeasured, Run, run
from rows import TableRow, printed

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 1472
CLASSES = 4
HELD_OUT = 2000
STRENGTH = {"linear": 0.1, "kernel": 10.0}
WIDTH = 1.0
# Limit of exact machines; above it ours uses landmarks, and is compared with scikit-learn's.
EXACT_LIMIT = 8192
TIMEOUT_S = 20 * 60.0
ROWS_AT_A_TIME = 4096


@dataclass(frozen=True)
class Contest:
    """One kind of head on one set of features, and scikit-learn's equivalent."""

    kind: str
    peer: str
    images: int

    @property
    def title(self) -> str:
        return f"{self.kind} on {self.images:,} images, beside {self.peer}"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def draw(folder: Path, images: int, seed: int = 1) -> None:
    """Training and held-out images in files, a few thousand in memory at a time."""
    random = numpy.random.default_rng(seed)
    centres = random.normal(size=(CLASSES, 4, 8))
    directions = random.normal(size=(8, COLUMNS)).astype(numpy.float32) / numpy.float32(numpy.sqrt(8))
    for name, count in (("train", images), ("test", HELD_OUT)):
        labels = random.integers(CLASSES, size=count)
        with (folder / f"{name}.f32").open("wb") as file:
            for first in range(0, count, ROWS_AT_A_TIME):
                part = labels[first : first + ROWS_AT_A_TIME]
                hidden = centres[part, random.integers(4, size=len(part))]
                hidden = (hidden + 0.7 * random.normal(size=hidden.shape)).astype(numpy.float32)
                noise = random.standard_normal(size=(len(part), COLUMNS), dtype=numpy.float32)
                numpy.maximum(hidden @ directions + numpy.float32(0.5) * noise, 0).tofile(file)
        labels.astype(numpy.uint8).tofile(folder / f"{name}.u8")


def divide(folder: Path, features: Path, seed: int = 1) -> tuple[int, int, int]:
    """Divides a file of real features into two parts; returns the number of images, columns and classes."""
    with numpy.load(features) as file:
        values, labels = file["features"].astype(numpy.float32), file["labels"].astype(numpy.uint8)
    order = numpy.random.default_rng(seed).permutation(len(values))
    held_out = len(values) // 3
    for name, part in (("test", order[:held_out]), ("train", order[held_out:])):
        values[part].tofile(folder / f"{name}.f32")
        labels[part].tofile(folder / f"{name}.u8")
    return len(values) - held_out, values.shape[1], int(labels.max()) + 1


def describe(folder: Path, kind: str, columns: int, classes: int) -> Path:
    described: dict[str, Any] = {
        "kind": kind,
        "columns": columns,
        "classes": classes,
        "strength": STRENGTH[kind],
        "seed": 1,
        "train": {"features": str(folder / "train.f32"), "labels": str(folder / "train.u8")},
        "test": {"features": str(folder / "test.f32"), "labels": str(folder / "test.u8")},
    }
    if kind == "kernel":
        described["width"] = WIDTH
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(described))
    return path


def contests(images: int) -> list[Contest]:
    """Landmarks are compared with scikit-learn's and, if it does not take too long, with all images."""
    kernel = [Contest("kernel", "svc", images)]
    if images > EXACT_LIMIT:
        kernel.insert(0, Contest("kernel", "nystroem", images))
    return [Contest("linear", "logistic", images), *kernel]


def take(contest: Contest, folder: Path, program: Path, rounds: int, shape: tuple[int, int]) -> dict[str, list[Run]]:
    """Both sides in turn, each a whole process."""
    path = describe(folder, contest.kind, *shape)
    ours: list[str | Path] = [program, path]
    peer: list[str | Path] = [sys.executable, ROOT / "bench" / "sklearn_reference.py", path, "--model", contest.peer]
    runs: dict[str, list[Run]] = {"ours": [], "peer": []}
    for number in range(rounds):
        for side, command in (("ours", ours), ("peer", peer)):
            say(f"bench: heads: {contest.title}: {side}, round {number + 1} of {rounds}")
            runs[side].append(run(command, folder, folder / f"{contest.kind}-{side}.log", TIMEOUT_S))
    return runs


def row(contest: Contest, runs: dict[str, list[Run]]) -> TableRow:
    def told(side: str) -> tuple[float, str]:
        seconds = statistics.median(each.figures["seconds"] for each in runs[side])
        accuracy = runs[side][0].figures["accuracy"]
        memory = max(each.peak_anonymous_bytes for each in runs[side]) / 1e9
        short = "" if runs[side][0].figures.get("converged", True) else ", not converged"
        return seconds, f"{seconds:.2f} s, {accuracy:.3f} right, {memory:.2f} GB{short}"

    (ours, ours_told), (peer, peer_told) = told("ours"), told("peer")
    return TableRow(
        "heads", contest.title, ours_told, peer_told, ratio=peer / ours, target=1.0, rounds=len(runs["ours"])
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="685,7000", help="how many to learn from, with commas; 100000 takes long")
    parser.add_argument("--features", type=Path, metavar="FILE", help="real ones instead, as .npz")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results-heads.json")
    return parser.parse_args()


def main() -> None:
    options = parse()
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--package", "solvers", "--example", "head"], cwd=ROOT, check=True
    )
    program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "examples" / "head"
    sizes = [0] if options.features else [int(size) for size in options.images.split(",")]
    rows, kept, missing = [], {}, {}
    for asked in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-heads-") as name:
            folder = Path(name)
            if options.features:
                size, columns, classes = divide(folder, options.features)
            else:
                size, columns, classes = asked, COLUMNS, CLASSES
                draw(folder, size)
            for contest in contests(size):
                try:
                    runs = take(contest, folder, program, options.rounds, (columns, classes))
                except NotMeasured as reason:
                    say(f"bench: heads: {contest.title}: not measured: {reason}")
                    missing[contest.title] = str(reason)
                    continue
                rows.append(row(contest, runs))
                kept[contest.title] = {side: [each.record() for each in of] for side, of in runs.items()}
    print(printed(rows))
    for title, why in missing.items():
        print(f"not measured: {title}: {why}")
    record = {
        "machine": machine.describe(ROOT),
        "table": [each.record() for each in rows],
        "runs": kept,
        "not_measured": missing,
        "features": str(options.features or "drawn"),
    }
    options.output.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
