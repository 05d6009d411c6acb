"""Measures the prediction server beside Flask + Keras, as whole processes in turn.

    make bench-serve
    make bench-serve PROFILE=chest-ct DATA=~/scans ROUNDS=5 ONLY=alone,saturation
    .venv/bin/python bench/server.py --only overload --seconds 10 --rounds 1

Serves the project's model on its test images. Prints a table; every figure goes to
bench/results-serve.json.
"""

import argparse
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import machine
from measure import NotMeasured
from plan import Deadline, Measurement, Turn
from rows import Measured, TableRow, printed
from run import measure_all, say, write
from serve.idle import raise_file_limit
from serve.offline import Offline
from serve.ours import Ours
from serve.peer import Peer
from serve.scans import Scans
from serve.table import GROUPS, table
from serve.trials import Sizes, Trials

ROOT = Path(__file__).resolve().parent.parent


def plan(trials: Trials) -> list[Measurement]:
    """In the order of a round: compared measurements run one after the other."""
    measurements = [
        ("start", "start", trials.start),
        ("alone", "alone", trials.alone),
        ("peer_flask", "alone", lambda: trials.peer_alone("flask")),
        ("peer_waitress", "alone", lambda: trials.peer_alone("waitress")),
        ("saturation", "saturation", trials.saturation),
        ("offline", "saturation", trials.offline_rate),
        ("overload", "overload", trials.overload),
        ("idle", "idle", trials.idle),
        ("swap", "swap", trials.swap),
    ]
    return [Measurement(name, frozenset({group}), take, Turn.EVERY_ROUND) for name, group, take in measurements]


def results(
    options: argparse.Namespace, trials: Trials, measured: Measured, rows: list[TableRow], seconds: float
) -> dict[str, Any]:
    return {
        "machine": machine.describe(ROOT),
        "settings": {"rounds": options.rounds, "seconds": round(seconds, 1), **asdict(trials.sizes)},
        "model": {
            "bytes": trials.ours.model_bytes(),
            **trials.ours.description()["architecture"],
            "precision": trials.ours.description()["precision"],
        },
        "images": len(trials.scans.files),
        "table": [row.record() for row in rows],
        "runs": {name: [run.record() for run in runs] for name, runs in measured.runs.items()},
        "not_measured": measured.missing,
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--project",
        type=Path,
        default=ROOT,
        metavar="DIR",
        help="with config.yaml, model/ and artifacts/; default: this project",
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="instead of the project's test images")
    parser.add_argument("--second-model", type=Path, metavar="DIR", help="model folder that is swapped with the first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help=f"groups of rows, with commas: {', '.join(GROUPS)}")
    parser.add_argument("--minutes", type=float, default=45.0, help="begin nothing after this long")
    parser.add_argument("--clients", type=int, default=Sizes.clients, help="that saturate the server")
    parser.add_argument("--requests", type=int, default=Sizes.requests, help="one at a time")
    parser.add_argument("--saturation-seconds", type=float, default=Sizes.saturation_s)
    parser.add_argument("--seconds", type=float, default=Sizes.overload_s, help="of overload")
    parser.add_argument("--connections", type=int, default=Sizes.idle_connections, help="that are idle")
    parser.add_argument("--swaps", type=int, default=Sizes.swaps)
    parser.add_argument("--offline-copies", type=int, default=4, help="of each image in the larger set")
    parser.add_argument(
        "--binaries", type=Path, default=ROOT / "target/release", metavar="DIR", help="serve and predict"
    )
    parser.add_argument("--keras-python", type=Path, default=ROOT / ".venv-bench/bin/python", metavar="FILE")
    parser.add_argument("--work", type=Path, default=ROOT / "target/bench-serve", metavar="DIR")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/results-serve.json")
    options = parser.parse_args()
    options.only = set(filter(None, options.only.split(","))) or set(GROUPS)
    if unknown := options.only - set(GROUPS):
        parser.error(f"no rows are called {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    for name in ("rounds", "clients", "requests", "swaps"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if options.offline_copies < 2:
        parser.error("--offline-copies must be at least 2: the rate is told between two sizes")
    return options


def trials_of(options: argparse.Namespace) -> Trials:
    programs, work, project = options.binaries.resolve(), options.work.resolve(), options.project.resolve()
    ours = Ours(programs / "serve", project, work / "project", work / "logs")
    ours.description()
    sizes = Sizes(
        clients=options.clients,
        requests=options.requests,
        overload_s=options.seconds,
        saturation_s=options.saturation_seconds,
        idle_connections=options.connections,
        swaps=options.swaps,
    )
    return Trials(
        ours=ours,
        # Not resolved: a virtual environment's Python is a link, and finds its environment by the link's path.
        peer=Peer(options.keras_python.absolute(), ours.logs),
        offline=Offline(programs / "predict", options.offline_copies),
        scans=Scans.below((options.images or project / "artifacts/data_ingestion/test").resolve()),
        sizes=sizes,
        second_model=options.second_model and options.second_model.resolve(),
    )


def main() -> None:
    # Like Ctrl-C, so that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    deadline = Deadline(options.minutes)
    try:
        trials = trials_of(options)
    except NotMeasured as reason:
        sys.exit(f"bench: failed to find what is served: {reason}")
    raise_file_limit()
    say(f"bench: logs in {trials.ours.logs}")
    chosen = [entry for entry in plan(trials) if entry.groups & options.only]
    measured = measure_all(chosen, options.rounds, 0, deadline)
    rows = table(measured, options.only)
    print(printed(rows))
    write(options.output, results(options, trials, measured, rows, deadline.elapsed_s))
    say(f"\nbench: {deadline.elapsed_s:.0f} s; every figure in {options.output}")
    shutil.rmtree(trials.ours.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
