"""The processes to run, for which groups of rows, and in which order."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, partial
from pathlib import Path

import projects
from measure import NotMeasured, Run, run
from projects import Project
from rows import EPOCHS, VIEWS, Images

BATCH = 16
# One in this many training images is used in augmented views.
PART = 5


class Turn(Enum):
    """When a measurement is taken."""

    EVERY_ROUND = "every round"
    # In the first round, or in as many as requested: measurements that take minutes, or are only shown for comparison.
    FIRST_ROUND = "first round"
    # After all rounds: the longest measurements, which are dropped first if time runs out.
    LAST = "last"


@dataclass(frozen=True)
class Measurement:
    """A process to time."""

    name: str
    groups: frozenset[str]
    take: Callable[[], Run]
    turn: Turn


class Deadline:
    """A time limit in minutes: nothing is started after it, and little continues beyond it."""

    def __init__(self, minutes: float) -> None:
        self._started = time.monotonic()
        self._minutes = minutes

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def left_s(self) -> float:
        return self._minutes * 60 - self.elapsed_s

    def __str__(self) -> str:
        return f"out of time (--minutes {self._minutes:g})"


@dataclass
class Bench:
    """Folders and programs, and every measurement that can be taken with them."""

    root: Path
    work: Path
    programs: Path
    decode_program: Path
    torch_python: Path
    keras_python: Path
    profile: str
    data: Path | None
    threads: int
    steps: int
    image_size: int | None
    deadline: Deadline

    @property
    def logs(self) -> Path:
        return self.work / "logs"

    @property
    def timeout_s(self) -> float:
        """The remaining time, and a minute to finish what was started."""
        return max(0.0, self.deadline.left_s) + 60.0

    @property
    def params(self) -> str:
        return projects.real_scans_params(self.root, self.image_size)

    @cached_property
    def project(self) -> Project:
        """The images and the base, made once and not timed."""
        project = projects.create(
            self.root, self.work / "project", self.programs, self.logs, self.profile, self.data, self.params
        )
        projects.make_inputs(project)
        return project

    @cached_property
    def part(self) -> Project:
        """One in PART images, with the tutorials' augmentation in a few cached views."""
        params = projects.with_augmentation(self.params, VIEWS)
        rows = projects.part_of(self.project.rows(), PART)
        return projects.derive(self.project, self.work / "part", rows, params)

    @cached_property
    def dvc_root(self) -> Path:
        return projects.copy_of_repository(self.root, self.work / "repro", self.profile, self.data, self.params)

    @cached_property
    def images(self) -> Images:
        rows = self.project.rows()

        def count(rows: list[projects.Row], split: str) -> int:
            return sum(row["split"] == split for row in rows)

        size = next(
            int(line.split(":")[1].split("#")[0])
            for line in self.params.splitlines()
            if line.strip().startswith("image_size:")
        )
        distinct = len({row["sha256"] for row in rows if row["split"] != "test"})
        return Images(
            size,
            count(rows, "train"),
            count(rows, "valid"),
            count(rows, "test"),
            distinct,
            count(self.part.rows(), "train"),
            self.threads,
        )

    # Ours.

    def train(self, project: Project, log: str, *arguments: str) -> Run:
        return project.stage(
            "train", "--epochs", str(EPOCHS), "--batch-size", str(BATCH), *arguments, log=log, timeout_s=self.timeout_s
        )

    def our_cold(self) -> Run:
        self.project.forget_training()
        return self.train(self.project, "our_cold")

    def our_warm(self) -> Run:
        if not (self.project.folder / "artifacts/features").is_dir():
            raise NotMeasured("no features are cached: the cold training failed")
        self.project.forget_runs()
        return self.train(self.project, "our_warm", "--learning-rate", "0.0003")

    def our_views(self) -> Run:
        self.part.forget_training()
        return self.train(self.part, "our_views")

    def our_grown(self, images: int) -> Run:
        folder = self.work / f"grown-{images}"
        try:
            return self.train(projects.grow(self.project, folder, images), f"our_grown_{images}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def our_decode(self) -> Run:
        return run(
            [self.decode_program, self.project.images, str(self.threads), str(self.images.image_size)],
            self.work,
            self.logs / "our_decode.log",
            self.timeout_s,
        )

    def dvc(self, log: str, *arguments: str) -> Run:
        program = self.root / ".venv/bin/dvc"
        return run([program, *arguments], self.dvc_root, self.logs / f"{log}.log", self.timeout_s)

    def our_repro(self) -> Run:
        projects.forget_pipeline(self.dvc_root)
        return self.dvc("our_repro", "repro")

    def after_repro(self, log: str, *arguments: str) -> Run:
        if not (self.dvc_root / "dvc.lock").is_file():
            raise NotMeasured("the cold dvc repro failed")
        return self.dvc(log, *arguments)

    # The peers.

    def torch(self, log: str, mode: str, *arguments: str) -> Run:
        return self.reference(self.torch_python, "torch_reference.py", log, mode, *arguments)

    def keras(self, log: str, mode: str, *arguments: str) -> Run:
        return self.reference(self.keras_python, "keras_reference.py", log, mode, *arguments)

    def reference(self, python: Path, script: str, log: str, mode: str, *arguments: str) -> Run:
        if not python.is_file():
            raise NotMeasured(f"{python} is missing")
        shared = [
            "--weights",
            str(self.project.base),
            "--image-size",
            str(self.images.image_size),
            "--batch",
            str(BATCH),
            "--steps",
            str(self.steps),
            "--classes",
            str(len({row["class"] for row in self.project.rows()})),
            "--train-images",
            str(self.images.train),
        ]
        return run(
            [python, self.root / "bench" / script, mode, *shared, *arguments],
            self.work,
            self.logs / f"{log}.log",
            self.timeout_s,
        )

    def pillow(self) -> Run:
        return run(
            [
                self.torch_python,
                self.root / "bench/pillow_reference.py",
                self.project.images,
                "--threads",
                str(self.threads),
                "--image-size",
                str(self.images.image_size),
            ],
            self.work,
            self.logs / "pillow.log",
            self.timeout_s,
        )

    def keras_unzip(self) -> Run:
        if self.data is None or self.data.suffix != ".zip":
            raise NotMeasured("DATA is no zip file")
        into = self.work / "unzipped"
        try:
            return self.keras("keras_unzip", "unzip", "--archive", str(self.data), "--into", str(into))
        finally:
            shutil.rmtree(into, ignore_errors=True)

    def measurements(self) -> list[Measurement]:
        """In the order of a round: compared measurements run one after the other."""
        train = ["--images", str(self.project.images / "train")]
        sets = [*train, "--valid", str(self.project.images / "valid")]
        test = ["--images", str(self.project.images / "test")]
        model = ["--model", str(self.work / "keras/model.keras")]
        best = ["--settings", "best"]
        head = [*best, "--epochs", str(EPOCHS)]
        plan: list[Measurement] = []

        def add(name: str, groups: str, take: Callable[[], Run], turn: Turn = Turn.EVERY_ROUND) -> None:
            plan.append(Measurement(name, frozenset(groups.split()), take, turn))

        add("our_decode", "decode", self.our_decode)
        add("pillow", "decode", self.pillow)
        add("matmul", "features", lambda: self.torch("matmul", "matmul"))
        add("our_cold", "features train warm memory", self.our_cold)
        add("our_warm", "features warm", self.our_warm)
        for name, settings in [
            ("torch_usual", "usual"),
            ("torch_channels_last", "channels_last"),
            ("torch_best", "best"),
        ]:
            add(
                name,
                "features",
                partial(self.torch, name, "features", *train, "--settings", settings),
                Turn.FIRST_ROUND if settings == "best" else Turn.EVERY_ROUND,
            )
        add("keras_usual", "train repro", lambda: self.keras("keras_usual", "train", *sets))
        add("keras_best", "train augment", lambda: self.keras("keras_best", "train", *sets, *head), Turn.FIRST_ROUND)
        add(
            "keras_best_bf16",
            "train",
            lambda: self.keras("keras_best_bf16", "train", *sets, *head, "--bf16"),
            Turn.FIRST_ROUND,
        )
        add("torch_train", "train", lambda: self.torch("torch_train", "train", *sets))
        add(
            "torch_train_best", "train", lambda: self.torch("torch_train_best", "train", *sets, *head), Turn.FIRST_ROUND
        )
        add("our_views", "augment", self.our_views)
        add("keras_augmented", "augment", lambda: self.keras("keras_augmented", "train", *sets, "--augment"))
        add(
            "keras_best_augmented",
            "augment",
            lambda: self.keras("keras_best_augmented", "features", *train, *best, "--augment"),
            Turn.FIRST_ROUND,
        )
        add(
            "torch_augmented",
            "augment",
            lambda: self.torch("torch_augmented", "train", *sets, "--augment"),
            Turn.FIRST_ROUND,
        )
        add("our_repro", "repro", self.our_repro, Turn.FIRST_ROUND)
        add("keras_unzip", "repro", self.keras_unzip, Turn.FIRST_ROUND)
        add("keras_prepare", "repro", lambda: self.keras("keras_prepare", "prepare", *model), Turn.FIRST_ROUND)
        add(
            "keras_evaluate", "repro", lambda: self.keras("keras_evaluate", "evaluate", *test, *model), Turn.FIRST_ROUND
        )
        add("repro_again", "repro", lambda: self.after_repro("repro_again", "repro"))
        add("dvc_status", "repro", lambda: self.after_repro("dvc_status", "status"))
        add("keras_predict", "predict", lambda: self.keras("keras_predict", "predict", *train), Turn.FIRST_ROUND)
        add("torch_predict", "predict", lambda: self.torch("torch_predict", "predict", *train), Turn.FIRST_ROUND)
        for images in self.grown_sizes():
            add(f"our_grown_{images}", "growth memory", partial(self.our_grown, images), Turn.LAST)
        return plan

    def grown_sizes(self) -> list[int]:
        """250, 500, all images, and four times as many."""
        everything = len(self.project.rows())
        return [*(size for size in (250, 500) if size < everything), everything, 4 * everything]
