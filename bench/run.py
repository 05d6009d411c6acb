"""Measures our stages and their peers side by side, as whole processes in turn.

    make bench DATA=~/chest-ct.zip
    make bench DATA=~/chest-ct.zip ROUNDS=5 ONLY=features,train
    .venv/bin/python bench/run.py --only decode --rounds 1

Without DATA it uses the synthetic sample. A peer that is missing leaves its rows empty, with the
reason. Prints a table; every raw time goes to bench/results.json.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import machine
import micro
from measure import NotMeasured, Run
from plan import Bench, Deadline, Measurement, Turn
from rows import GROUPS, Measured, TableRow, printed, table

ROOT = Path(__file__).resolve().parent.parent


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure_once(measurement: Measurement, measured: Measured, deadline: Deadline, label: str) -> None:
    """One run, stored; a run that fails is reported once and not repeated."""
    name = measurement.name
    if name in measured.missing:
        return
    if deadline.left_s <= 0:
        if not measured.count(name):
            measured.missing[name] = str(deadline)
        return
    started = time.monotonic()
    try:
        run: Run = measurement.take()
    except NotMeasured as reason:
        measured.missing[name] = str(reason)
        say(f"bench: [{deadline.elapsed_s:5.0f} s] {label} {name}: not measured: {reason}")
        return
    measured.runs.setdefault(name, []).append(run)
    aside = time.monotonic() - started - run.wall_s
    prepared = f", {aside:.1f} s to prepare" if aside > 1 else ""
    say(f"bench: [{deadline.elapsed_s:5.0f} s] {label} {name}: {run.wall_s:.1f} s{prepared}")


def measure_all(plan: list[Measurement], rounds: int, slow_rounds: int, deadline: Deadline) -> Measured:
    """Measures round after round, then the longest measurements."""
    measured = Measured()
    rounds_of = {Turn.EVERY_ROUND: rounds, Turn.FIRST_ROUND: slow_rounds, Turn.LAST: 0}
    for number in range(1, max(rounds, slow_rounds) + 1):
        for measurement in plan:
            if number <= rounds_of[measurement.turn]:
                measure_once(measurement, measured, deadline, f"round {number},")
    for measurement in plan:
        if measurement.turn is Turn.LAST:
            measure_once(measurement, measured, deadline, "last,")
    if deadline.left_s <= 0:
        say(f"bench: {deadline}: some medians are of fewer rounds, or missing")
    return measured


def results(
    options: argparse.Namespace,
    bench: Bench,
    measured: Measured,
    rows: list[TableRow],
    micros: list[dict[str, Any]],
    seconds: float,
) -> dict[str, Any]:
    versions: dict[str, str] = {}
    for runs in measured.runs.values():
        versions |= runs[0].figures.get("versions", {})
    return {
        "machine": machine.describe(ROOT) | {"versions": versions},
        "settings": {
            "rounds": options.rounds,
            "slow_rounds": options.slow_rounds,
            "steps": options.steps,
            "data": bench.data.name if bench.data else "the synthetic sample",
            "profile": bench.profile,
            "seconds": round(seconds, 1),
        },
        "images": bench.images.__dict__,
        "table": [row.record() for row in rows],
        "micro": micros,
        "runs": {name: [run.record() for run in runs] for name, runs in measured.runs.items()},
        "not_measured": measured.missing,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="zip file or folder of scans that the profile knows")
    parser.add_argument("--profile", default="chest-ct")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow-rounds", type=int, default=1, help="of what takes minutes")
    parser.add_argument("--only", default="", help=f"groups of rows, with commas: {', '.join([*GROUPS, 'micro'])}")
    parser.add_argument("--minutes", type=float, default=24.0, help="begin nothing after this long")
    parser.add_argument("--steps", type=int, default=3, help="batches that a slow peer is timed on")
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="instead of the profile's; a small one tries the script in minutes",
    )
    parser.add_argument("--threads", type=int, default=machine.threads(), help="that decode")
    parser.add_argument("--binaries", type=Path, default=ROOT / "target/release", metavar="DIR", help="stage programs")
    parser.add_argument("--decode-binary", type=Path, help="default: examples/decode-resize beside them")
    parser.add_argument("--work", type=Path, default=ROOT / "target/bench", metavar="DIR")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/results.json")
    options = parser.parse_args()
    options.only = set(filter(None, options.only.split(","))) or {*GROUPS, "micro"}
    if unknown := options.only - {*GROUPS, "micro"}:
        parser.error(f"no rows are called {', '.join(sorted(unknown))}; there are {', '.join([*GROUPS, 'micro'])}")
    if options.data and not options.data.exists():
        parser.error(f"--data: {options.data} does not exist")
    if options.steps < 2 or options.rounds < 1:
        parser.error("--rounds must be at least 1 and --steps at least 2: the first batch warms up")
    return options


def main() -> None:
    options = parse()
    programs = options.binaries.resolve()
    deadline = Deadline(options.minutes)
    bench = Bench(
        root=ROOT,
        work=options.work.resolve(),
        programs=programs,
        decode_program=(options.decode_binary or programs / "examples/decode-resize").resolve(),
        # Not resolved: a virtual environment's Python is a link, and finds its environment by the link's path.
        torch_python=ROOT / ".venv-reference/bin/python",
        keras_python=ROOT / ".venv-bench/bin/python",
        profile=options.profile,
        data=options.data.resolve() if options.data else None,
        threads=options.threads,
        steps=options.steps,
        image_size=options.image_size,
        deadline=deadline,
    )
    bench.work.mkdir(parents=True, exist_ok=True)
    say(f"bench: logs in {bench.logs}")
    measured, rows = Measured(), []
    # First, and not part of the rounds: the remaining time decides how many rounds there are.
    micros = micro.measure(ROOT, bench.logs, say) if "micro" in options.only else []
    if options.only & set(GROUPS):
        try:
            plan = [entry for entry in bench.measurements() if entry.groups & options.only]
        except NotMeasured as reason:
            sys.exit(f"bench: failed to make the inputs: {reason}")
        say(f"bench: [{deadline.elapsed_s:5.0f} s] inputs made: {bench.images}")
        measured = measure_all(plan, options.rounds, options.slow_rounds, deadline)
        # The benchmark's images have 224 pixels a side, whatever size these have.
        if bench.images.image_size == 224:
            measured.forward_rate = micro.rate(micros, "forward_224/bf16")
        rows = table(measured, bench.images, options.only)
    print(printed(rows) + micro.printed(micros))
    write(options.output, results(options, bench, measured, rows, micros, deadline.elapsed_s))
    say(f"\nbench: {deadline.elapsed_s:.0f} s; raw times in {options.output}")
    for name in ("project", "part", "repro", "keras", "keras-checkpoints"):
        shutil.rmtree(bench.work / name, ignore_errors=True)


if __name__ == "__main__":
    main()
