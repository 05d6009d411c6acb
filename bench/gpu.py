"""Measures training on an NVIDIA GPU beside PyTorch on the same one, in the same session.

    make bench-gpu
    python3 bench/gpu.py --images 4000 --batch 64
    python3 bench/gpu.py --device cpu --images 48 --image-size 64    does the script itself work?

Needs the stage programs (target/release), libtorch (.venv) and the synthetic sample, which ingest
draws: no Rust, no network. PyTorch's rows need a Python that can import torch with CUDA, and those
with decoding torchvision too. Writes bench/results-gpu.json. Exits with 1 where there is no CUDA.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import machine
import projects
from measure import NotMeasured, Run, run
from projects import Project
from rows import Measured, TableRow, gflop_per_image, missing, printed
from run import ROOT, say, write

TIMEOUT_S = 1800.0
# A step back through a convolution costs two products as large as the forward one.
TUNING_PASSES = 3
EPOCH_RATE = re.compile(r"epoch \d+/\d+: .* (\d+) images/s")


def refuse_without_cuda() -> None:
    """Ends with a message about what is missing, so that a CPU is not measured as a GPU."""
    found = shutil.which("nvidia-smi") and machine.said(["nvidia-smi", "-L"])
    if found or Path("/dev/nvidia0").exists():
        return
    sys.exit(
        "bench-gpu: no CUDA here: neither nvidia-smi nor /dev/nvidia0 tells of an NVIDIA GPU.\n"
        "Run it on a machine with one, with the CUDA kind of libtorch (LIBTORCH_KIND=cuda make setup).\n"
        "--device cpu --images 48 --image-size 64 tries the script itself."
    )


def can(python: Path, statement: str) -> bool:
    try:
        subprocess.run([python, "-c", statement], check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@dataclass(frozen=True)
class Peer:
    """A Python with torch, if there is one."""

    python: Path | None
    has_torchvision: bool

    @classmethod
    def find(cls, named: Path | None, device: str) -> "Peer":
        candidates = (
            [named]
            if named
            else [ROOT / ".venv-reference/bin/python", ROOT / ".venv/bin/python", Path(sys.executable), Path("python3")]
        )
        statement = "import torch; assert torch.cuda.is_available()" if device != "cpu" else "import torch"
        for python in candidates:
            if can(python, statement):
                return cls(python, can(python, "import torchvision, PIL"))
        return cls(None, False)


@dataclass(frozen=True)
class GpuBench:
    """The two projects, the peer, and every measurement."""

    frozen: Project
    tuned: Project
    peer: Peer
    options: argparse.Namespace

    @property
    def device(self) -> str:
        device: str = self.options.device
        return device

    def train(self, project: Project, log: str, epochs: int, *arguments: str) -> Run:
        return project.stage(
            "train",
            "--device",
            self.device,
            "--epochs",
            str(epochs),
            "--batch-size",
            str(self.options.batch),
            *arguments,
            log=log,
            timeout_s=TIMEOUT_S,
        )

    def cold(self) -> Run:
        self.frozen.forget_training()
        return self.train(self.frozen, "gpu_cold", 20)

    def warm(self) -> Run:
        self.frozen.forget_runs()
        return self.train(self.frozen, "gpu_warm", 20, "--learning-rate", "0.0003")

    def tune(self) -> Run:
        self.tuned.forget_training()
        # Random weights need a small step, so that no loss diverges.
        return self.train(self.tuned, "gpu_tune", 3, "--learning-rate", "0.00001")

    def torch(self, log: str, mode: str, *arguments: str) -> Run:
        if self.peer.python is None:
            raise NotMeasured("no Python here imports torch for this device")
        if "--images" in arguments and not self.peer.has_torchvision:
            raise NotMeasured(f"{self.peer.python} has no torchvision")
        options = self.options
        images = sum(row["split"] == "train" for row in self.frozen.rows())
        steps = max(3, images // options.batch)
        return run(
            [
                self.peer.python,
                ROOT / "bench/torch_reference.py",
                mode,
                "--device",
                self.device.partition(":")[0],
                "--batch",
                str(options.batch),
                "--image-size",
                str(options.image_size),
                "--steps",
                str(steps),
                *arguments,
            ],
            self.frozen.folder,
            self.frozen.logs / f"{log}.log",
            TIMEOUT_S,
        )

    def measurements(self) -> dict[str, Callable[[], Run]]:
        files = ["--images", str(self.frozen.images / "train"), "--workers", str(machine.threads())]
        best = ["--settings", "best"]
        return {
            "matmul": lambda: self.torch("matmul", "matmul"),
            "cold": self.cold,
            "warm": self.warm,
            "torch_features": lambda: self.torch("torch_features", "features", *files),
            "torch_features_best": lambda: self.torch("torch_features_best", "features", *files, *best),
            "torch_features_memory": lambda: self.torch("torch_features_memory", "features", "--in-memory", *best),
            "tune": self.tune,
            "torch_tune": lambda: self.torch("torch_tune", "tune", *files),
            "torch_tune_best": lambda: self.torch("torch_tune_best", "tune", *files, *best),
            "torch_tune_memory": lambda: self.torch("torch_tune_memory", "tune", "--in-memory", *best),
        }


def frozen_rate(measured: Measured, project: Project) -> float:
    """Images a second: distinct contents over the extra time of a cold cache."""
    distinct = len({row["sha256"] for row in project.rows() if row["split"] != "test"})
    # A round with only one of the two measurements is left out.
    pairs = zip(measured.of("cold"), measured.of("warm"), strict=False)
    return distinct / statistics.median(cold.wall_s - warm.wall_s for cold, warm in pairs)


def tuning_rate(measured: Measured) -> float:
    """Images a second in the last epoch, as train logs it, after the start and the first kernels."""
    rates = []
    for each in measured.of("tune"):
        logged = EPOCH_RATE.findall(each.said)
        if not logged:
            raise NotMeasured("train logged no images/s")
        rates.append(float(logged[-1]))
    return statistics.median(rates)


def rows_of(
    group: str,
    rate: Callable[[], float],
    passes: int,
    peers: list[tuple[str, str]],
    measured: Measured,
    image_size: int,
) -> list[TableRow]:
    try:
        ours = rate()
    except NotMeasured as reason:
        return [missing(group, group, reason)]
    rows = []
    for name, title in peers:
        try:
            theirs = measured.figure(name, "images_per_s")
            rows.append(
                TableRow(
                    group,
                    f"{group} against {title}",
                    f"{ours:.4g} images/s",
                    f"{theirs:.4g} images/s",
                    ours / theirs,
                    rounds=measured.count(name),
                )
            )
        except NotMeasured as reason:
            rows.append(TableRow(group, f"{group} against {title}", f"{ours:.4g} images/s", f"not measured: {reason}"))
    title = f"{group}, share of the bf16 matrix rate"
    try:
        matmul = measured.figure("matmul", "gflops") / 1e3
        teraflops = ours * passes * gflop_per_image(image_size) / 1e3
        rows.append(
            TableRow(
                group,
                title,
                f"{teraflops:.3g} TFLOP/s",
                f"{matmul:.3g} TFLOP/s",
                teraflops / matmul,
                "",
                rounds=measured.count("matmul"),
            )
        )
    except NotMeasured as reason:
        rows.append(missing(group, title, reason))
    return rows


def table(measured: Measured, bench: GpuBench) -> list[TableRow]:
    def peers(kind: str) -> list[tuple[str, str]]:
        return [
            (f"torch_{kind}", "PyTorch fp32, images decoded by torchvision"),
            (f"torch_{kind}_best", "PyTorch bf16 autocast, channels-last, decoded by torchvision"),
            (f"torch_{kind}_memory", "PyTorch bf16, channels-last, images on the device already"),
        ]

    size = bench.options.image_size
    return [
        *rows_of(
            "frozen features, cold cache",
            lambda: frozen_rate(measured, bench.frozen),
            1,
            peers("features"),
            measured,
            size,
        ),
        *rows_of("full fine-tuning", lambda: tuning_rate(measured), TUNING_PASSES, peers("tune"), measured, size),
    ]


def make_projects(options: argparse.Namespace, work: Path) -> tuple[Project, Project]:
    """The sample with everything frozen, and the same images with nothing frozen."""
    programs = options.binaries.resolve()
    params = projects.real_scans_params(ROOT, options.image_size)
    params = projects.with_value(params, "ingest", "images", str(options.images))
    frozen = projects.create(ROOT, work / "frozen", programs, work / "logs", "chest-ct", None, params)
    projects.make_inputs(frozen)
    tuned = Project(work / "tuned", programs, work / "logs")
    shutil.rmtree(tuned.folder, ignore_errors=True)
    (tuned.folder / "artifacts").mkdir(parents=True)
    shutil.copy(frozen.folder / "config.yaml", tuned.folder)
    (tuned.folder / "params.yaml").write_text(projects.with_value(params, "prepare_base", "freeze", "none"))
    for name in ("data_ingestion", "data_validation"):
        (tuned.folder / "artifacts" / name).symlink_to(frozen.folder / "artifacts" / name)
    tuned.stage("prepare-base", log="prepare-base-tuned")
    return frozen, tuned


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", help="cuda:N; cpu only tries the script")
    parser.add_argument("--images", type=int, default=4000, help="of the synthetic sample")
    parser.add_argument("--image-size", type=int, default=224, metavar="PIXELS")
    parser.add_argument("--batch", type=int, default=64, metavar="IMAGES")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binaries", type=Path, default=ROOT / "target/release", metavar="DIR")
    parser.add_argument(
        "--torch-python",
        type=lambda path: Path(path).absolute(),
        metavar="PATH",
        help="a Python with torch; default: looked for",
    )
    parser.add_argument("--work", type=Path, default=ROOT / "target/bench-gpu", metavar="DIR")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/results-gpu.json")
    return parser.parse_args()


def measure(bench: GpuBench, rounds: int) -> Measured:
    measured = Measured()
    for number in range(1, rounds + 1):
        for name, take in bench.measurements().items():
            if name in measured.missing:
                continue
            try:
                measured.runs.setdefault(name, []).append(take())
                say(f"bench-gpu: round {number}/{rounds}, {name}: {measured.runs[name][-1].wall_s:.1f} s")
            except NotMeasured as reason:
                measured.missing[name] = str(reason)
                say(f"bench-gpu: round {number}/{rounds}, {name}: not measured: {reason}")
    return measured


def main() -> None:
    options = parse()
    if options.device != "cpu":
        refuse_without_cuda()
    started = time.monotonic()
    work = options.work.resolve()
    try:
        frozen, tuned = make_projects(options, work)
    except NotMeasured as reason:
        sys.exit(f"bench-gpu: failed to make the inputs: {reason}")
    bench = GpuBench(frozen, tuned, Peer.find(options.torch_python, options.device), options)
    measured = measure(bench, options.rounds)
    rows = table(measured, bench)
    print(f"on {options.device}, {options.images} images of {options.image_size} pixels, batch {options.batch}")
    print(printed(rows))
    write(
        options.output,
        {
            "machine": machine.describe(ROOT),
            "device": options.device,
            "settings": {
                "images": options.images,
                "image_size": options.image_size,
                "batch": options.batch,
                "rounds": options.rounds,
                "seconds": round(time.monotonic() - started, 1),
            },
            "table": [row.record() for row in rows],
            "runs": {name: [each.record() for each in runs] for name, runs in measured.runs.items()},
            "not_measured": measured.missing,
        },
    )
    say(f"bench-gpu: {time.monotonic() - started:.0f} s; raw times in {options.output}")
    shutil.rmtree(work / "frozen", ignore_errors=True)
    shutil.rmtree(work / "tuned", ignore_errors=True)
    # Without our own figures there is nothing to compare, so a GPU that our train cannot use ends here.
    if "cold" in measured.missing:
        sys.exit(f"bench-gpu: train did not run on {options.device}: {measured.missing['cold']}")


if __name__ == "__main__":
    main()
