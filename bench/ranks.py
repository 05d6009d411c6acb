"""Fine-tuning by one process and by several, one thread each, in one run; and what follows for other machines.

    .venv-reference/bin/python bench/ranks.py [--processes 2] [--rounds 3]
    .venv-reference/bin/python bench/ranks.py --plan

The first form needs mpirun and the programs of
cargo build --release --locked --workspace --bins
cargo build --release --locked --package train --features mpi --bin train-mpi
on an idle machine with as many processors as processes. The last block of VGG16 and the head learn from drawn images of
224 pixels, in steps of 32 images; the features of what is frozen are there. Rounds alternate, and the median counts.

The second form prints the table of docs/scaling.md: a step of W processes takes t + 2(W-1)/W * bytes / bandwidth +
2(W-1) * latency, where t is the step of one process with as many images (Patarasuk and Yuan 2009: the ring all-reduce).
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
IMAGES = 256
SIDE = 224
EPOCHS = 3
BATCH = 32
EPOCH = re.compile(r"epoch (\d+)/.*?([\d.]+) images/s, ([\d.]+) s(?: \((\d+) % of it between)?")


@dataclass(frozen=True)
class Link:
    """What connects the processes of a ring."""

    name: str
    bytes_per_s: float
    latency_s: float


@dataclass(frozen=True)
class Network:
    """What is trained: its parameters, and the seconds that a GPU takes for a step of 32 images."""

    name: str
    parameters: float
    step_s: float


LINKS = [
    Link("10 Gbit/s Ethernet", 1.25e9, 50e-6),
    Link("100 Gbit/s InfiniBand", 12.5e9, 5e-6),
    Link("NVLink", 150e9, 3e-6),
]
# 224 pixels, everything learns, bf16 on a data centre's GPU: orders of magnitude, not measured here.
NETWORKS = [Network("vgg16", 14.7e6, 0.040), Network("resnet50", 23.5e6, 0.030)]
PROCESSES = [2, 4, 8, 16, 64, 256]


def all_reduce_s(network: Network, link: Link, processes: int) -> float:
    """The time in which a ring adds up the gradients, fp32."""
    rounds = 2 * (processes - 1)
    return rounds / processes * network.parameters * 4 / link.bytes_per_s + rounds * link.latency_s


def plan() -> None:
    """Speed against one process, where each process has 32 images of a step."""
    print(f"| base | link | {' | '.join(map(str, PROCESSES))} |")
    print(f"|---|---|{'---|' * len(PROCESSES)}")
    for network in NETWORKS:
        for link in LINKS:
            times = [network.step_s + all_reduce_s(network, link, count) for count in PROCESSES]
            speeds = [count * network.step_s / time for count, time in zip(PROCESSES, times, strict=True)]
            print(f"| `{network.name}` | {link.name} | {' | '.join(f'{speed:.1f}' for speed in speeds)} |")


class Training:
    """A study, and its training by so many processes."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs
        threads = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        self.environment = {"LD_LIBRARY_PATH": str(ROOT / ".venv/libtorch/lib"), **os.environ, **threads, **root}
        folder.mkdir()
        shutil.copy(ROOT / "config.yaml", folder)
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["ingest"]["sample"]["images"] = IMAGES
        params["prepare_base"] |= {"image_size": SIDE, "weights": "random", "freeze": {"until": "block4_pool"}}
        params["prepare_base"]["head"] = {"kind": "global_pool", "hidden_units": 0, "dropout": 0.0}
        descent = {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": 0.001}
        params["train"] |= {"solve": None, "descent": descent, "precision": "fp32", "device": "cpu"}
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        for stage in ("ingest", "validate", "prepare-base"):
            self.run([str(programs / stage)])

    def run(self, command: list[str]) -> str:
        """What a command logged."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stderr

    def seconds(self, processes: int) -> tuple[float, float]:
        """The median seconds of an epoch whose features are there, and the share of it between the processes."""
        shutil.rmtree(self.folder / "artifacts/model_training", ignore_errors=True)
        command = ["mpirun", "--bind-to", "none", "-n", str(processes), str(self.programs / "train-mpi")]
        log = self.run(command)
        epochs = [(float(found[3]), float(found[4] or 0)) for found in EPOCH.finditer(log)]
        later = epochs[1:]
        return statistics.median(time for time, _ in later), statistics.median(share for _, share in later)


def measure(processes: int, rounds: int) -> None:
    """One process against several."""
    with tempfile.TemporaryDirectory() as folder:
        training = Training(Path(folder) / "study", ROOT / "target/release")
        training.seconds(1)
        times: dict[int, list[tuple[float, float]]] = {1: [], processes: []}
        for _ in range(rounds):
            for count, taken in times.items():
                taken.append(training.seconds(count))
    one = statistics.median(time for time, _ in times[1])
    several = statistics.median(time for time, _ in times[processes])
    share = statistics.median(share for _, share in times[processes])
    print("| processes | seconds an epoch | speed | between the processes |")
    print("|---|---|---|---|")
    print(f"| 1 | {one:.2f} | 1 | |")
    print(f"| {processes} | {several:.2f} | {one / several:.2f} | {share:.0f} % |")


def main() -> None:
    """Reads the arguments, measures or plans."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--plan", action="store_true", help="print what follows for other machines, and measure nothing"
    )
    options = parser.parse_args()
    if options.plan:
        plan()
    else:
        measure(options.processes, options.rounds)


if __name__ == "__main__":
    main()
