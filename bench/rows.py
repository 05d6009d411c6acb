"""Turns measurements into the table: the comparisons, and the target of each row."""

import itertools
import statistics
from dataclasses import dataclass, field
from typing import Any

from measure import NotMeasured, Run

# Multiplications and additions of VGG16's convolutions: inputs, outputs, and the block each is in.
CONVOLUTIONS = [
    (3, 64, 0),
    (64, 64, 0),
    (64, 128, 1),
    (128, 128, 1),
    (128, 256, 2),
    (256, 256, 2),
    (256, 256, 2),
    (256, 512, 3),
    (512, 512, 3),
    (512, 512, 3),
    (512, 512, 4),
    (512, 512, 4),
    (512, 512, 4),
]
EPOCHS = 20
PIPELINE_EPOCHS = 5
VIEWS = 4


def gflop_per_image(image_size: int) -> float:
    """Operations of VGG16's convolutions; an addition and a multiplication count as two."""
    return sum(2 * 9 * inputs * outputs * (image_size >> block) ** 2 for inputs, outputs, block in CONVOLUTIONS) / 1e9


@dataclass(frozen=True)
class Images:
    """The numbers of images."""

    image_size: int
    train: int
    valid: int
    test: int
    # Contents among training and validation images, each of which is computed.
    distinct: int
    # Training images of the part that is used in augmented views.
    part_train: int
    threads: int


@dataclass
class Measured:
    """Every run of every measurement, and the reasons for missing ones."""

    runs: dict[str, list[Run]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    # Images a second through the model in bf16 without decoding, from the micro-benchmark.
    forward_rate: float | None = None

    def of(self, name: str) -> list[Run]:
        if not self.runs.get(name):
            raise NotMeasured(f"{name}: {self.missing.get(name, 'not asked for')}")
        return self.runs[name]

    def wall(self, name: str) -> float:
        return statistics.median(run.wall_s for run in self.of(name))

    def figure(self, name: str, key: str) -> float:
        median: float = statistics.median(run.figures[key] for run in self.of(name))
        return median

    def count(self, name: str) -> int:
        return len(self.runs.get(name, []))


@dataclass(frozen=True)
class TableRow:
    """A line of the table. `ratio` is how much better ours is, or the value that the target is about."""

    group: str
    title: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    unit: str = "×"
    target: float | None = None
    at_most: bool = False
    rounds: int = 0

    @property
    def verdict(self) -> str:
        if self.target is None or self.ratio is None:
            return ""
        met = self.ratio <= self.target if self.at_most else self.ratio >= self.target
        return "met" if met else "missed"

    def record(self) -> dict[str, Any]:
        return {**self.__dict__, "verdict": self.verdict}


def seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 100 else f"{value:.1f} s"


def our_feature_rate(measured: Measured, images: Images) -> float:
    """Images a second: distinct contents over the extra time of a cold cache."""
    # A round with only one of the two measurements is left out.
    pairs = zip(measured.of("our_cold"), measured.of("our_warm"), strict=False)
    return images.distinct / statistics.median(cold.wall_s - warm.wall_s for cold, warm in pairs)


def keras_train(measured: Measured, name: str, images: Images, epochs: int) -> float:
    """Derived: start, tracing, and the given number of epochs over all images."""

    def figure(key: str) -> float:
        return measured.figure(name, key)

    epoch = images.train * figure("train_s_per_image") + images.valid * figure("valid_s_per_image") + figure("save_s")
    return figure("startup_s") + figure("warm_up_s") + epochs * epoch


def torch_train(measured: Measured, name: str, images: Images) -> float:
    def figure(key: str) -> float:
        return measured.figure(name, key)

    epoch = images.train * figure("train_s_per_image") + images.valid * figure("valid_s_per_image")
    return figure("startup_s") + figure("warm_up_s") + EPOCHS * epoch


def cached_train(measured: Measured, name: str, computed: int, head: str = "") -> float:
    """Derived: start, features of `computed` images, and the measured epochs of the head."""

    def figure(key: str) -> float:
        return measured.figure(name, key)

    return (
        figure("startup_s")
        + figure("first_batch_s")
        + computed * figure("s_per_image")
        + measured.figure(head or name, "head_s")
    )


def keras_best(measured: Measured, images: Images) -> float:
    """The faster of fp32 and mixed_bfloat16, which depends on the processor."""
    times = [
        cached_train(measured, name, images.train + images.valid)
        for name in ("keras_best", "keras_best_bf16")
        if measured.count(name)
    ]
    if not times:
        measured.of("keras_best")
    return min(times)


def feature_rows(measured: Measured, images: Images) -> list[TableRow]:
    rows = []
    rate = our_feature_rate(measured, images)
    rounds = measured.count("our_cold")
    for name, title, target in [
        ("torch_usual", "PyTorch fp32 eager, NCHW", 2.6),
        ("torch_channels_last", "PyTorch fp32, channels-last", None),
        ("torch_best", "PyTorch bf16, channels-last, inference mode", None),
    ]:
        try:
            peer = measured.figure(name, "images_per_s")
        except NotMeasured as reason:
            rows.append(
                TableRow(
                    "features",
                    f"features against {title}",
                    f"{rate:.2f} images/s",
                    f"not measured: {reason}",
                    target=target,
                )
            )
            continue
        rows.append(
            TableRow(
                "features",
                f"features against {title}",
                f"{rate:.2f} images/s",
                f"{peer:.2f} images/s",
                rate / peer,
                target=target,
                rounds=rounds,
            )
        )
    try:
        matmul = measured.figure("matmul", "gflops")
        # Operations of direct convolutions, even if a method needs fewer.
        ours = rate * gflop_per_image(images.image_size)
        rows.append(
            TableRow(
                "features",
                "features as direct convolutions, over the bf16 matrix rate",
                f"{ours:.0f} GFLOP/s",
                f"{matmul:.0f} GFLOP/s",
                ours / matmul,
                unit="",
                target=0.88,
                rounds=rounds,
            )
        )
        fp32 = measured.figure("matmul", "gflops_fp32")
        # Below 1, the processor has bf16 instructions that are not worthwhile.
        rows.append(
            TableRow(
                "features",
                "the machine's bf16 matrix rate over its fp32 one",
                f"{matmul:.0f} GFLOP/s",
                f"{fp32:.0f} GFLOP/s",
                matmul / fp32,
                rounds=measured.count("matmul"),
            )
        )
        if measured.forward_rate is not None:
            ours = measured.forward_rate * gflop_per_image(images.image_size)
            rows.append(
                TableRow(
                    "features",
                    "the same of the forward pass alone (micro-benchmark)",
                    f"{ours:.0f} GFLOP/s",
                    f"{matmul:.0f} GFLOP/s",
                    ours / matmul,
                    unit="",
                )
            )
    except NotMeasured as reason:
        rows.append(missing("features", "features as direct convolutions, over the bf16 matrix rate", reason, 0.88))
    return rows


def train_rows(measured: Measured, images: Images) -> list[TableRow]:
    ours = measured.wall("our_cold")
    rounds = measured.count("our_cold")
    title = f"train, {EPOCHS} epochs, cold cache, against"
    everything = images.train + images.valid
    peers = [
        ("Keras graph mode (derived)", lambda: keras_train(measured, "keras_usual", images, EPOCHS), 35.0),
        ("Keras, tf.data, cached features (derived)", lambda: keras_best(measured, images), None),
        ("PyTorch, the usual loop (derived)", lambda: torch_train(measured, "torch_train", images), None),
        (
            "PyTorch bf16, cached features (derived)",
            lambda: cached_train(measured, "torch_train_best", everything),
            None,
        ),
    ]
    return [compare("train", f"{title} {name}", ours, peer, target, rounds) for name, peer, target in peers]


def augment_rows(measured: Measured, images: Images) -> list[TableRow]:
    ours = measured.wall("our_views") * images.train / images.part_train
    rounds = measured.count("our_views")
    share = images.part_train / images.train
    title = f"train, {VIEWS} views, cold cache (on {share:.0%} of the images, scaled), against"
    computed = VIEWS * images.train + images.valid
    peers = [
        (
            "Keras graph mode with ImageDataGenerator (derived)",
            lambda: keras_train(measured, "keras_augmented", images, EPOCHS),
            8.0,
        ),
        (
            f"Keras, tf.data, {VIEWS} cached views (derived)",
            lambda: cached_train(measured, "keras_best_augmented", computed, "keras_best"),
            None,
        ),
        (
            "PyTorch, the usual loop with RandomAffine (derived)",
            lambda: torch_train(measured, "torch_augmented", images),
            None,
        ),
    ]
    return [compare("augment", f"{title} {name}", ours, peer, target, rounds) for name, peer, target in peers]


def warm_rows(measured: Measured, _images: Images) -> list[TableRow]:
    wall = measured.wall("our_warm")
    return [
        TableRow(
            "warm",
            "train again with another learning rate, whole process",
            seconds(wall),
            "",
            wall,
            "s",
            5.0,
            True,
            measured.count("our_warm"),
        )
    ]


def decode_rows(measured: Measured, images: Images) -> list[TableRow]:
    ours = measured.figure("our_decode", "images_per_s")
    title = f"decode and resize to {images.image_size}, {images.threads} threads, against Pillow"
    peer = measured.figure("pillow", "images_per_s")
    return [
        TableRow(
            "decode",
            title,
            f"{ours:.0f} images/s",
            f"{peer:.0f} images/s",
            ours / peer,
            target=2.0,
            rounds=measured.count("our_decode"),
        )
    ]


def repro_rows(measured: Measured, images: Images) -> list[TableRow]:
    rows = []

    def keras_pipeline() -> float:
        unzip = measured.wall("keras_unzip") if measured.count("keras_unzip") else 0.0
        evaluate = (
            measured.figure("keras_evaluate", "startup_s")
            + measured.figure("keras_evaluate", "first_batch_s")
            + images.test * measured.figure("keras_evaluate", "s_per_image")
        )
        return (
            unzip
            + measured.wall("keras_prepare")
            + keras_train(measured, "keras_usual", images, PIPELINE_EPOCHS)
            + evaluate
        )

    title = f"the whole dvc repro, cold, against five steps in Keras, {PIPELINE_EPOCHS} epochs (derived)"
    try:
        rows.append(
            compare("repro", title, measured.wall("our_repro"), keras_pipeline, 5.0, measured.count("our_repro"))
        )
    except NotMeasured as reason:
        rows.append(missing("repro", title, reason, 5.0))
    title = "dvc repro with nothing to do, over dvc status"
    try:
        repro, status = measured.wall("repro_again"), measured.wall("dvc_status")
        rows.append(
            TableRow(
                "repro",
                title,
                seconds(repro),
                seconds(status),
                repro / status,
                target=1.5,
                at_most=True,
                rounds=measured.count("repro_again"),
            )
        )
    except NotMeasured as reason:
        rows.append(missing("repro", title, reason, 1.5))
    return rows


def grown(measured: Measured) -> list[tuple[int, Run]]:
    """The measurements of growing sets: images, and the run."""
    return sorted(
        (int(name.removeprefix("our_grown_")), runs[-1])
        for name, runs in measured.runs.items()
        if name.startswith("our_grown_") and runs
    )


def memory_rows(measured: Measured, _images: Images) -> list[TableRow]:
    sets = grown(measured)
    if not sets:
        peak = max(run.peak_anonymous_bytes for run in measured.of("our_cold")) / 1e9
        return [
            TableRow(
                "memory",
                "peak anonymous memory of train",
                f"{peak:.2f} GB",
                "",
                peak,
                "GB",
                2.5,
                True,
                measured.count("our_cold"),
            )
        ]
    images, _ = sets[-1]
    peak = max(run.peak_anonymous_bytes for _, run in sets) / 1e9
    rows = [
        TableRow(
            "memory",
            f"peak anonymous memory of train, up to {images} images",
            f"{peak:.2f} GB",
            "",
            peak,
            "GB",
            2.5,
            True,
            1,
        )
    ]
    for (fewer, before), (more, after) in itertools.pairwise(sets):
        growth = after.peak_anonymous_bytes / before.peak_anonymous_bytes
        rows.append(
            TableRow(
                "memory",
                f"its growth from {fewer} to {more} images",
                f"{after.peak_anonymous_bytes / 1e9:.2f} GB",
                f"{before.peak_anonymous_bytes / 1e9:.2f} GB",
                growth,
                target=1.1,
                at_most=True,
                rounds=1,
            )
        )
    return rows


def growth_rows(measured: Measured, _images: Images) -> list[TableRow]:
    sets = grown(measured)
    if not sets:
        raise NotMeasured(
            "our_grown: "
            + next(
                (reason for name, reason in measured.missing.items() if name.startswith("our_grown")), "not asked for"
            )
        )
    return [
        TableRow(
            "growth",
            f"train, {EPOCHS} epochs, cold cache, {images} different images",
            seconds(run.wall_s),
            "",
            images / run.wall_s,
            "images/s",
            rounds=1,
        )
        for images, run in sets
    ]


def predict_rows(measured: Measured, _images: Images) -> list[TableRow]:
    rows = []
    for name, title in [("keras_predict", "Keras"), ("torch_predict", "PyTorch")]:
        try:
            milliseconds = measured.figure(name, "median_s") * 1e3
            rows.append(
                TableRow(
                    "predict",
                    f"one prediction in {title}",
                    "(the peer alone)",
                    f"{milliseconds:.0f} ms",
                    rounds=measured.count(name),
                )
            )
        except NotMeasured as reason:
            rows.append(TableRow("predict", f"one prediction in {title}", "", f"not measured: {reason}"))
    return rows


def compare(group: str, title: str, ours: float, peer: Any, target: float | None, rounds: int) -> TableRow:
    """Times side by side; if a peer is missing, only our time is shown."""
    try:
        theirs = peer()
    except NotMeasured as reason:
        return TableRow(group, title, seconds(ours), f"not measured: {reason}", target=target)
    return TableRow(group, title, seconds(ours), seconds(theirs), theirs / ours, target=target, rounds=rounds)


def missing(group: str, title: str, reason: NotMeasured, target: float | None = None) -> TableRow:
    return TableRow(group, title, f"not measured: {reason}", target=target)


GROUPS = {
    "features": feature_rows,
    "train": train_rows,
    "augment": augment_rows,
    "warm": warm_rows,
    "decode": decode_rows,
    "repro": repro_rows,
    "memory": memory_rows,
    "growth": growth_rows,
    "predict": predict_rows,
}


def table(measured: Measured, images: Images, groups: set[str]) -> list[TableRow]:
    rows: list[TableRow] = []
    for group, make in GROUPS.items():
        if group not in groups:
            continue
        try:
            rows += make(measured, images)
        except NotMeasured as reason:
            rows.append(missing(group, group, reason))
    return rows


def printed(rows: list[TableRow]) -> str:
    """The table as text: a title, then the measurements below it."""
    lines = []
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(f"\n{group}")
        ratio = "" if row.ratio is None else f"{row.ratio:.3g} {row.unit}".strip()
        target = ""
        if row.target is not None:
            target = f"target {'≤' if row.at_most else '≥'} {row.target:g} {row.unit}".strip()
        lines.append(f"  {row.title}")
        peer = f"  against {row.peer}" if row.peer else ""
        count = f"n = {row.rounds}" if row.rounds else ""
        parts = [f"{row.ours}{peer}", ratio, target, row.verdict.upper(), count]
        lines.append("      " + "   ".join(part for part in parts if part))
    return "\n".join(lines)
