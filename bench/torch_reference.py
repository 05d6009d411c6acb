"""What a person writes in PyTorch for the same task: frozen VGG16, a new dense layer, Adam.

Each mode is a whole process that prints one line of JSON. `usual` settings are those of the
tutorials; `best` are the documented ones for speed: channels-last, bf16 autocast, inference mode,
features of the frozen base computed once.

    torch_reference.py features --images DIR --settings best
    torch_reference.py train --images DIR --valid DIR --steps 4 --augment
    torch_reference.py tune --device cuda --in-memory --settings best
    torch_reference.py predict --images DIR
    torch_reference.py matmul
"""

import time

STARTED = time.perf_counter()

import argparse
import contextlib
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

# Convolutions of VGG16 (Simonyan & Zisserman 2015, configuration D); "M" is a pooling.
VGG16: list[int | str] = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
Batch = tuple[torch.Tensor, torch.Tensor]


def vgg16_features(weights: Path | None) -> nn.Sequential:
    """torchvision's `vgg16().features`, layer for layer, so that a GPU machine needs no torchvision."""
    layers: list[nn.Module] = []
    channels = 3
    for width in VGG16:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2))
            continue
        convolution = nn.Conv2d(channels, width, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(convolution.bias)
        layers += [convolution, nn.ReLU(inplace=True)]
        channels = width
    base = nn.Sequential(*layers)
    if weights is not None:
        from safetensors.torch import load_file

        tensors = load_file(weights)
        base.load_state_dict(
            {name.removeprefix("features."): tensor for name, tensor in tensors.items() if name.startswith("features.")}
        )
    return base


class Settings:
    """How the base runs: `usual`, `channels_last` (fp32) or `best` (channels-last, bf16)."""

    def __init__(self, name: str, device: str) -> None:
        self.device = torch.device(device)
        self.channels_last = name in ("channels_last", "best")
        self.bf16 = name == "best"
        self.best = name == "best"
        if self.best:
            torch.backends.cudnn.benchmark = True
        if device == "cpu":
            torch.set_num_threads(len(os.sched_getaffinity(0)))

    def prepare(self, module: nn.Module) -> nn.Module:
        module = module.to(self.device)
        return module.to(memory_format=torch.channels_last) if self.channels_last else module

    def upload(self, images: torch.Tensor) -> torch.Tensor:
        images = images.to(self.device, non_blocking=True)
        is_images = self.channels_last and images.dim() == 4
        return images.to(memory_format=torch.channels_last) if is_images else images

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.bf16:
            bf16: contextlib.AbstractContextManager[Any] = torch.autocast(self.device.type, dtype=torch.bfloat16)
            return bf16
        return contextlib.nullcontext()

    def no_grad(self) -> contextlib.AbstractContextManager[Any]:
        mode: contextlib.AbstractContextManager[Any] = torch.inference_mode() if self.best else torch.no_grad()
        return mode

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def image_batches(
    folder: Path, options: argparse.Namespace, shuffle: bool, augment: bool, settings: Settings
) -> torch.utils.data.DataLoader:
    from torchvision import datasets, transforms

    size = options.image_size
    steps: list[Callable[[Any], Any]] = [transforms.Resize((size, size))]
    if augment:
        steps += [
            transforms.RandomAffine(degrees=40, translate=(0.2, 0.2), scale=(0.8, 1.2), shear=0.2),
            transforms.RandomHorizontalFlip(),
        ]
    steps += [transforms.ToTensor(), transforms.Normalize(**IMAGENET)]
    data = datasets.ImageFolder(str(folder), transforms.Compose(steps))
    return torch.utils.data.DataLoader(
        data,
        batch_size=options.batch,
        shuffle=shuffle,
        num_workers=options.workers,
        pin_memory=settings.best and settings.device.type == "cuda",
        generator=torch.Generator().manual_seed(17),
    )


def memory_batches(options: argparse.Namespace, settings: Settings, classes: int) -> Iterator[Batch]:
    """Batches that are already on the device, so that only the peer's network is measured."""
    size = options.image_size
    images = torch.rand(options.batch, 3, size, size, device=settings.device)
    labels = torch.arange(options.batch, device=settings.device) % classes
    for _ in range(options.steps):
        yield settings.upload(images), labels


def limited(batches: Any, steps: int) -> Iterator[Batch]:
    """The first `steps` batches, or all of them."""
    for at, batch in enumerate(batches):
        if steps and at == steps:
            return
        yield batch


def extract(base: nn.Module, batches: Any, settings: Settings) -> tuple[dict[str, float], torch.Tensor]:
    """Features of the batches, timed after the first one: with decoding, and the forward pass alone."""
    features: list[torch.Tensor] = []
    started = after_first = time.perf_counter()
    forward = 0.0
    counted = 0
    for at, (images, _) in enumerate(batches):
        before = time.perf_counter()
        with settings.no_grad(), settings.autocast():
            features.append(base(settings.upload(images)).flatten(1).float())
        settings.wait()
        if at == 0:
            after_first = time.perf_counter()
            continue
        forward += time.perf_counter() - before
        counted += len(images)
    if counted == 0:
        sys.exit("too few images: the first batch only warms up")
    seconds = time.perf_counter() - after_first
    return {
        "images": counted,
        "first_batch_s": after_first - started,
        "s_per_image": seconds / counted,
        "images_per_s": counted / seconds,
        "forward_images_per_s": counted / forward,
    }, torch.cat(features)


def features(options: argparse.Namespace) -> dict[str, Any]:
    settings = Settings(options.settings, options.device)
    base = settings.prepare(vgg16_features(options.weights)).eval()
    batches = (
        memory_batches(options, settings, 4)
        if options.in_memory
        else limited(image_batches(options.images, options, False, options.augment, settings), options.steps)
    )
    startup = time.perf_counter() - STARTED
    figures, _ = extract(base, batches, settings)
    return {"startup_s": startup, **figures}


def one_pass(
    model: nn.Module, batches: Any, settings: Settings, optimizer: torch.optim.Optimizer | None
) -> tuple[float, int, float]:
    """Learns from the batches, or scores them; returns seconds, images, summed loss."""
    model.train(optimizer is not None)
    loss_of = nn.CrossEntropyLoss()
    started = time.perf_counter()
    images_seen, total = 0, 0.0
    for batch in batches:
        images, labels = settings.upload(batch[0]), batch[1].to(settings.device)
        with torch.set_grad_enabled(optimizer is not None):
            with settings.autocast():
                loss = loss_of(model(images), labels)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        images_seen += len(labels)
        # As in the tutorials; the best settings do not wait for the device in every step.
        if not settings.best:
            total += loss.item()
    settings.wait()
    return time.perf_counter() - started, images_seen, total


def head_inputs(image_size: int) -> int:
    return 512 * (image_size // 32) ** 2


def train(options: argparse.Namespace) -> dict[str, Any]:
    """A batch to warm up, then a few timed ones."""
    settings = Settings(options.settings, options.device)
    if settings.best and not options.augment:
        return train_on_features(options, settings)
    base = vgg16_features(options.weights).requires_grad_(False)
    head = nn.Linear(head_inputs(options.image_size), options.classes)
    model = settings.prepare(nn.Sequential(base, nn.Flatten(), head))
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-4)
    train_set = image_batches(options.images, options, True, options.augment, settings)
    valid_set = image_batches(options.valid, options, False, False, settings)
    startup = time.perf_counter() - STARTED
    warm_s, warmed, _ = one_pass(model, limited(train_set, 1), settings, optimizer)
    learn_s, learnt, _ = one_pass(model, limited(train_set, options.steps), settings, optimizer)
    score_s, scored, _ = one_pass(model, limited(valid_set, options.valid_steps), settings, None)
    return {
        "startup_s": startup,
        "train_images": learnt,
        "valid_images": scored,
        "warm_up_s": max(0.0, warm_s - learn_s / learnt * warmed),
        "train_s_per_image": learn_s / learnt,
        "valid_s_per_image": score_s / scored,
    }


def train_on_features(options: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Computes features once, then trains `epochs` over as many records as the whole set has."""
    base = settings.prepare(vgg16_features(options.weights)).eval()
    batches = limited(image_batches(options.images, options, False, options.augment, settings), options.steps)
    startup = time.perf_counter() - STARTED
    figures, records = extract(base, batches, settings)
    labels = torch.arange(len(records), device=records.device) % options.classes
    at = torch.arange(options.train_images, device=records.device) % len(records)
    records, labels = records[at].clone(), labels[at]
    head = nn.Linear(records.shape[1], options.classes).to(settings.device)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-4)
    before = time.perf_counter()
    for _ in range(options.epochs):
        order = torch.randperm(len(records), device=records.device)
        one_pass(
            head,
            ((records[part], labels[part]) for part in order.split(options.batch)),
            Settings("best", options.device),
            optimizer,
        )
    return {"startup_s": startup, **figures, "head_s": time.perf_counter() - before, "epochs": options.epochs}


def tune(options: argparse.Namespace) -> dict[str, Any]:
    """Full fine-tuning, nothing frozen."""
    settings = Settings(options.settings, options.device)
    base = vgg16_features(options.weights)
    head = nn.Linear(head_inputs(options.image_size), options.classes)
    model = settings.prepare(nn.Sequential(base, nn.Flatten(), head))
    fused = {"fused": True} if settings.best and settings.device.type == "cuda" else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, **fused)

    def batches() -> Any:
        if options.in_memory:
            return memory_batches(options, settings, options.classes)
        return limited(image_batches(options.images, options, True, options.augment, settings), options.steps)

    startup = time.perf_counter() - STARTED
    one_pass(model, batches(), settings, optimizer)
    seconds, seen, _ = one_pass(model, batches(), settings, optimizer)
    return {"startup_s": startup, "images": seen, "images_per_s": seen / seconds}


def predict(options: argparse.Namespace) -> dict[str, Any]:
    """Predicts one image from its bytes again and again; the first call is timed separately."""
    import io

    from PIL import Image
    from torchvision import transforms

    settings = Settings(options.settings, options.device)
    head = nn.Linear(head_inputs(options.image_size), options.classes)
    model = settings.prepare(nn.Sequential(vgg16_features(options.weights), nn.Flatten(), head)).eval()
    size = options.image_size
    view = transforms.Compose(
        [transforms.Resize((size, size)), transforms.ToTensor(), transforms.Normalize(**IMAGENET)]
    )
    body = next(path for path in sorted(options.images.rglob("*")) if path.is_file()).read_bytes()
    times = []
    for _ in range(8):
        before = time.perf_counter()
        with settings.no_grad(), settings.autocast():
            image = view(Image.open(io.BytesIO(body)).convert("RGB"))
            model(settings.upload(image[None])).float().softmax(1).tolist()
        times.append(time.perf_counter() - before)
    return {"first_s": times[0], "median_s": statistics.median(times[1:])}


def matmul(options: argparse.Namespace) -> dict[str, Any]:
    """The highest rates of a square matrix product, in GFLOP/s: in bf16, and in fp32 for comparison."""
    settings = Settings("best", options.device)
    sides = (4096, 8192) if settings.device.type == "cuda" else (1024, 2048)
    bf16, fp32 = (
        max(matmul_gflops(side, kind, settings) for side in sides) for kind in (torch.bfloat16, torch.float32)
    )
    return {"gflops": bf16, "gflops_fp32": fp32}


def matmul_gflops(side: int, kind: torch.dtype, settings: Settings) -> float:
    """The fastest of the products that fit into a second."""
    left, right = (torch.randn(side, side, device=settings.device).to(kind) for _ in range(2))
    left @ right
    settings.wait()
    times: list[float] = []
    while sum(times) < 1.0:
        before = time.perf_counter()
        left @ right
        settings.wait()
        times.append(time.perf_counter() - before)
    return 2.0 * side**3 / min(times) / 1e9


MODES = {"features": features, "train": train, "tune": tune, "predict": predict, "matmul": matmul}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--images", type=Path, help="training images, one folder per class")
    parser.add_argument("--valid", type=Path, help="validation images, likewise")
    parser.add_argument("--weights", type=Path, help="safetensors with torchvision's names; default: random")
    parser.add_argument("--settings", choices=["usual", "channels_last", "best"], default="usual")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--image-size", type=int, default=224, metavar="PIXELS")
    parser.add_argument("--batch", type=int, default=16, metavar="IMAGES")
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20, help="of the head, on cached features")
    parser.add_argument("--steps", type=int, default=4, help="batches of training images; 0: all")
    parser.add_argument("--valid-steps", type=int, default=1, help="batches of validation images; 0: all")
    parser.add_argument(
        "--train-images", type=int, default=613, help="size of the set that epochs of the head pass over"
    )
    parser.add_argument("--workers", type=int, default=0, help="decoding processes")
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("--in-memory", action="store_true", help="random images on the device, nothing decoded")
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.manual_seed(17)
    figures = MODES[options.mode](options)
    print(
        json.dumps(
            {
                "mode": options.mode,
                "settings": options.settings,
                **figures,
                "versions": {"torch": torch.__version__},
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
