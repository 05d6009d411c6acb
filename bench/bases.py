"""Features of every base beside PyTorch (timm, eager, fp32, channels last) on the same threads, in one run.

    make bench-bases
    .venv-reference/bin/python bench/bases.py [--images 64] [--rounds 5] [NAME …]

Both compute the means and the deviations of the channels at the cut points, in batches of 16 images of 224 pixels.
Rounds alternate, and the median counts. The second form needs the program of
cargo build --release --locked --workspace --example base-speed
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

import timm
import torch

ROOT = Path(__file__).resolve().parents[1]
SIDE = 224
BATCH = 16
VGG = {"vgg16": [4, 9, 16, 23, 30], "vgg19": [4, 9, 18, 27, 36]}
EFFICIENTNET = ["blocks.1", "blocks.2", "blocks.4", "blocks.6", "bn2"]
RESNET = ["layer1", "layer2", "layer3", "layer4"]
DENSENET = [f"features.denseblock{block}" for block in (1, 2, 3)]
VIT = ["blocks.2", "blocks.5", "blocks.8", "norm"]
CUTS = {
    **{name: [f"features.{place}" for place in places] for name, places in VGG.items()},
    "resnet18": RESNET,
    "resnet50": RESNET,
    "densenet121": [*DENSENET, "features.norm5"],
    "efficientnet_b0": EFFICIENTNET,
    "tf_efficientnet_lite0": EFFICIENTNET,
    "convnext_tiny": [f"stages.{stage}" for stage in range(4)],
    "vit_small_patch14_dinov2": VIT,
    "vit_small_patch14_reg4_dinov2": VIT,
}


class Theirs:
    """timm's network with hooks at the cut points."""

    def __init__(self, name: str, images: int) -> None:
        options = {"dynamic_img_size": True} if name.startswith("vit") else {}
        self.model = timm.create_model(name, pretrained=False, num_classes=0, **options).eval()
        self.model = self.model.to(memory_format=torch.channels_last)
        self.taken: list[torch.Tensor] = []
        for cut in CUTS[name]:
            self.model.get_submodule(cut).register_forward_hook(self.take)
        self.images = torch.rand(images, 3, SIDE, SIDE)

    def take(self, _module: object, _input: object, output: torch.Tensor) -> None:
        places = (2, 3) if output.dim() == 4 else (1,)
        self.taken += [output.mean(dim=places), output.std(dim=places, correction=0)]

    def seconds(self) -> float:
        began = time.perf_counter()
        with torch.inference_mode():
            for batch in self.images.split(BATCH):
                self.taken = []
                self.model.forward_features(batch.to(memory_format=torch.channels_last))
                torch.cat(self.taken, dim=1)
        return time.perf_counter() - began


class Ours:
    """The example program `base-speed`."""

    def __init__(self, name: str, images: int) -> None:
        program = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples/base-speed"
        library = ROOT / ".venv/libtorch/lib"
        threads = str(torch.get_num_threads())
        self.process = subprocess.Popen(
            [program, name, str(SIDE), str(images)],
            env=os.environ
            | {"LD_LIBRARY_PATH": str(library), "OMP_NUM_THREADS": threads, "RAYON_NUM_THREADS": threads},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seconds()

    def seconds(self) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(CUTS), metavar="NAME")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"| base | ours, images/s | PyTorch {torch.__version__}, images/s | ratio |\n|---|---|---|---|")
    for name in options.names:
        ours, theirs = Ours(name, options.images), Theirs(name, options.images)
        theirs.seconds()
        rounds = [(ours.seconds(), theirs.seconds()) for _ in range(options.rounds)]
        ours.close()
        mine, other = (options.images / statistics.median(times) for times in zip(*rounds, strict=True))
        ratio = statistics.median(other / mine for mine, other in rounds)
        print(f"| `{name}` | {mine:.1f} | {other:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
