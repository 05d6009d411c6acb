"""A Hounsfield model for Python: what `mlflow.pyfunc.load_model` imports.

    model = mlflow.pyfunc.load_model("models:/tumour-classifier@champion")
    model.predict(pandas.DataFrame({"image": [open("scan.png", "rb").read()]}))

In comes a column `image` with the bytes of picture files (PNG, JPEG, TIFF, BMP, GIF, WebP, and not
DICOM). Out come `predicted`, `confidence` and one column `prob_<class>` for each class: calibrated probabilities, as
in `predictions.csv`. `load_model(…, model_config={"device": "cuda"})` computes on a GPU.

Research use only. Not a medical device.
"""

import importlib
import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional

# Convolutions of 3×3 in each block of VGG; each block ends in a maximum over 2×2. Other bases are timm's.
VGG = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
# The heads that read the maps at every cut point, and not only the last ones.
READS_CUT_POINTS = ("linear", "kernel", "multi_scale")
# Means and standard deviations of red, green and blue, on values from 0 to 1.
NORMALISATIONS = {
    "unit": ([0.0] * 3, [1.0] * 3),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "caffe": ([123.68 / 255, 116.779 / 255, 103.939 / 255], [1 / 255] * 3),
}
# How the names of a head's tensors start.
HEAD = ("classifier.", "kernel.", "standardise.")
# The axes of planes [3, H, W] that each flip turns round.
FLIPS = {"none": (), "horizontal": (2,), "vertical": (1,), "both": (1, 2)}
# The batch that the model was trained and scored with. Another shape may take another algorithm,
# with other rounding.
FORWARD_BATCH = 16


def _load_pyfunc(data_path: str, model_config: dict[str, Any] | None = None) -> "Model":
    """Called by MLflow with the folder `data`."""
    return Model(Path(data_path), (model_config or {}).get("device", "cpu"))


class Network:
    """One network: from planes to logits."""

    def load(self, description: dict[str, Any], weights: dict[str, torch.Tensor], device: str) -> None:
        """Takes a network's `model.json` and its tensors."""
        architecture = description["architecture"]
        # Before format 4 there was one base.
        self.base = architecture.get("base", "vgg16")
        self.cut_points = architecture.get("cut_points", [])
        self.interpolation = description["preprocessing"].get("interpolation", "bilinear")
        self.classes = architecture["classes"]
        self.head = architecture["head"]
        self.image_size = description["preprocessing"]["image_size"]
        self.mean, self.deviation = statistics(description["preprocessing"]["normalisation"])
        self.format = {"fp32": torch.float32, "bf16": torch.bfloat16}[description["precision"]]
        self.device = torch.device(device)
        self.network = None if self.base in VGG else network(self.base, weights).to(self.device, self.format)
        self.weights = {name: self._placed(name, tensor) for name, tensor in weights.items()}
        self.channels = 0  # of the last maps, known once they are there

    def _placed(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Convolutions in the model's number format, channels last; the head in fp32."""
        if self.network is not None or not name.startswith("features."):
            return tensor
        tensor = tensor.to(self.format)
        return tensor.to(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor

    def own_planes(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels [H, W, 1 or 3] of 8 or 16 bits as the network sees them: [3, S, S], fp32."""
        highest = np.float32(np.iinfo(pixels.dtype).max)
        planes = resize(pixels, self.image_size, self.interpolation).astype(np.float32).transpose(2, 0, 1) / highest
        if planes.shape[0] == 1:
            planes = np.repeat(planes, 3, axis=0)
        planes -= self.mean[:, None, None]
        planes /= self.deviation[:, None, None]
        return planes

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        x = self.head_inputs(images)
        if "standardise.mean" in self.weights:
            x = x - self.weights["standardise.mean"]
        if "standardise.scale" in self.weights:
            x = x * self.weights["standardise.scale"]
        elif "standardise.std" in self.weights:
            x = x / self.weights["standardise.std"]
        if self.head["kind"] == "kernel":
            return self.kernel(x)
        dense = sorted({int(n.split(".")[1]) for n in self.weights if n.startswith("classifier.")})
        for place, layer in enumerate(dense):
            x = x.relu() if place > 0 else x
            weight, bias = (self.weights[f"classifier.{layer}.{part}"] for part in ("weight", "bias"))
            x = functional.linear(x, weight, bias)
        return x

    def kernel(self, x: torch.Tensor) -> torch.Tensor:
        """k(x, vectors) · coefficients + bias, where k is exp(−gamma · squared distance)."""
        vectors, gamma = self.weights["kernel.vectors"], self.weights["kernel.gamma"]
        squares = x.square().sum(dim=1, keepdim=True) + vectors.square().sum(dim=1)
        distances = (squares - 2 * x @ vectors.T).clamp_min(0)
        return torch.exp(-gamma * distances) @ self.weights["kernel.coefficients"] + self.weights["kernel.bias"]

    def head_inputs(self, images: torch.Tensor) -> torch.Tensor:
        x = images.to(self.format).contiguous(memory_format=torch.channels_last)
        maps = list(self.vgg(x) if self.network is None else self.timm(self.network, x))
        self.channels = maps[-1].shape[1]
        kind = self.head["kind"]
        if kind in READS_CUT_POINTS:
            return torch.cat([summary(it.float(), kind) for it in maps], dim=1)
        if kind == "global_pool":
            return maps[-1].mean(dim=(2, 3), dtype=torch.float32)
        return maps[-1].float().flatten(1)

    def vgg(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """The maps after each block."""
        number = 0
        for convolutions in VGG[self.base]:
            for _ in range(convolutions):
                weight, bias = (self.weights[f"features.{number}.{part}"] for part in ("weight", "bias"))
                x = functional.conv2d(x, weight, bias, padding=1).relu_()
                number += 2
            x = functional.max_pool2d(x, 2)
            number += 1
            yield x

    def timm(self, network: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
        """The maps at each cut point, which has the name of one of timm's modules."""
        seen: dict[str, torch.Tensor] = {}

        def keep(cut: str) -> Callable[..., None]:
            return lambda _module, _input, output: seen.update({cut: output.clone()})

        hooks = [network.get_submodule(cut).register_forward_hook(keep(cut)) for cut in self.cut_points]
        try:
            network.forward_features(x)
        finally:
            for hook in hooks:
                hook.remove()
        return [as_maps(seen[cut], getattr(network, "num_prefix_tokens", 0)) for cut in self.cut_points]


class Member:
    """A network of an ensemble, and its share of the answer."""

    def __init__(self, network: Network, description: dict[str, Any]) -> None:
        self.network = network
        self.weight = float(description["weight"])
        self.temperature = float(description["temperature"])
        self.axes = FLIPS[description.get("flip", "none")]
        self.shape = (3, network.image_size, network.image_size)

    def planes_of(self, pixels: np.ndarray) -> np.ndarray:
        return np.flip(self.network.own_planes(pixels), self.axes)

    def probabilities(self, planes: torch.Tensor) -> torch.Tensor:
        return (self.network.logits(planes).double() / self.temperature).softmax(dim=1)


class Model(Network):
    """The model folder that `select` and `calibrate` wrote, or `ensemble`.

    Of an ensemble this is its first network, and `members` has all of them.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if description["format"] not in (2, 3, 4, 5):
            raise ValueError(f"model.json is of format {description['format']}; this reads 2 to 5")
        tensors = load_file(folder / "trained_model.safetensors", device=str(device))
        self.members: list[Member] = []
        ensemble = description.get("ensemble", [])
        for place, member in enumerate(ensemble):
            network = Network() if self.members else self
            network.load(member["model"], tensors_of(ensemble, place, tensors), device)
            self.members.append(Member(network, member))
        if not self.members:
            self.load(description, tensors, device)
        calibration = folder / "calibration.json"
        self.temperature = 1.0
        if calibration.exists():
            fit = json.loads(calibration.read_text(encoding="utf-8"))["temperature"]
            self.temperature = fit["temperature"]

    # MLflow passes `params`, of which there are none.
    def predict(self, model_input: pd.DataFrame, params: object = None) -> pd.DataFrame:  # noqa: ARG002
        """A row for each picture of the column `image`."""
        pictures = list(model_input["image"])
        probabilities = [np.empty((0, len(self.classes)))]
        for start in range(0, len(pictures), FORWARD_BATCH):
            batch = np.stack([self.planes(bytes(p)) for p in pictures[start : start + FORWARD_BATCH]])
            probabilities.append(self.probabilities(torch.from_numpy(batch)))
        probabilities = np.concatenate(probabilities)
        table = {"predicted": [self.classes[index] for index in probabilities.argmax(axis=1)]}
        table["confidence"] = probabilities.max(axis=1, initial=0.0)
        for index, name in enumerate(self.classes):
            table[f"prob_{name}"] = probabilities[:, index]
        return pd.DataFrame(table)

    def planes(self, picture: bytes) -> np.ndarray:
        """A picture file as the model sees it: [3, S, S], fp32; of an ensemble, the values of all its members."""
        return self.planes_of(decode(picture))

    def planes_of(self, pixels: np.ndarray) -> np.ndarray:
        """The same of pixels [H, W, 1 or 3] of 8 or 16 bits."""
        if not self.members:
            return self.own_planes(pixels)
        return np.concatenate([member.planes_of(pixels).ravel() for member in self.members])

    @torch.inference_mode()
    def probabilities(self, images: torch.Tensor) -> np.ndarray:
        """Probabilities [N, classes], f64, of at most FORWARD_BATCH images as `planes` makes them."""
        count = images.shape[0]
        empty = torch.zeros((FORWARD_BATCH - count, *images.shape[1:]))
        images = torch.cat([images, empty]).to(self.device)
        logits = (self.mean_of_members(images) if self.members else self.logits(images))[:count]
        return (logits.double().cpu() / self.temperature).softmax(dim=1).numpy()

    def mean_of_members(self, images: torch.Tensor) -> torch.Tensor:
        """The logarithm of the weighted mean of calibrated probabilities, as logits."""
        pieces = images.split([math.prod(member.shape) for member in self.members], dim=1)
        said = zip(self.members, pieces, strict=True)
        mean = sum(it.weight * it.probabilities(piece.reshape(-1, *it.shape)) for it, piece in said)
        return mean.clamp_min(torch.finfo(torch.float64).tiny).log()


def tensors_of(ensemble: list[dict[str, Any]], place: int, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a member. Those that it shares are with the member that it names; a head is shared whole."""

    def of(member: int | None) -> dict[str, torch.Tensor]:
        start = f"members.{member}."
        return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}

    own, shared = of(place), of(ensemble[place].get("tensors_of"))
    if any(name.startswith(HEAD) for name in own):
        shared = {name: tensor for name, tensor in shared.items() if not name.startswith(HEAD)}
    if not own and not shared:
        raise ValueError(f"member {place} of the ensemble has no tensors")
    return shared | own


def network(base: str, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """timm's network without a top, with these weights."""
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        raise ValueError(f"a model on {base} needs timm: pip install timm") from error
    # Only transformers must be told that images may have another size than in their training.
    options = {"dynamic_img_size": True} if base.startswith("vit_") else {}
    made: torch.nn.Module = timm.create_model(base, pretrained=False, num_classes=0, **options)
    wanted = {name for name in made.state_dict() if not name.endswith("num_batches_tracked")}
    # What timm counts to the top of ConvNeXt.
    wanted = {name for name in wanted if not name.startswith("head.")}
    missing = sorted(wanted - set(weights))
    if missing:
        raise ValueError(f"{missing[0]} of {base} is not among the model's weights")
    made.load_state_dict({name: weights[name] for name in wanted}, strict=False)
    return made.eval().requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)


def as_maps(output: torch.Tensor, prefix_tokens: int) -> torch.Tensor:
    """Maps [N, C, H, W] of a module's output, which may be tokens [N, prefix + H·W, C]."""
    if output.dim() == 4:
        return output
    places = output[:, prefix_tokens:]
    side = math.isqrt(places.shape[1])
    return places.transpose(1, 2).reshape(output.shape[0], -1, side, side)


def summary(maps: torch.Tensor, head: str) -> torch.Tensor:
    """What a head reads of the maps at a cut point, fp32: [N, columns]."""
    if head == "multi_scale":
        return multi_scale(maps)
    return torch.cat([maps.mean(dim=(2, 3)), maps.std(dim=(2, 3), correction=0)], dim=1)


def statistics(normalisation: str | dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation [3] of a normalisation: its name, or what has none says itself."""
    if isinstance(normalisation, dict):
        channels = normalisation["channels"]
        mean, deviation = channels["mean"], channels["deviation"]
    else:
        mean, deviation = NORMALISATIONS[normalisation]
    return np.array(mean, dtype=np.float32), np.array(deviation, dtype=np.float32)


def multi_scale(maps: torch.Tensor) -> torch.Tensor:
    """Means of 4×4 cells and standard deviations of each channel."""
    cells = functional.adaptive_avg_pool2d(maps, 4).flatten(1)
    return torch.cat([cells, maps.std(dim=(2, 3), correction=0)], dim=1)


EXIF_ORIENTATION = 0x0112
# What leads back from each orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says and not as XMP does, like the Hounsfield programs and browsers. TIFF
    is turned by Pillow itself."""
    content = image.info.get("exif")
    if image.format == "TIFF" or not content:
        return image
    exif = Image.Exif()
    try:
        exif.load(content)
        turn = TURNS.get(exif.get(EXIF_ORIENTATION))
    except Exception:  # noqa: BLE001 - damaged EXIF says nothing of the picture
        turn = None
    return image if turn is None else image.transpose(turn)


def decode(picture: bytes) -> np.ndarray:
    """Pixels [H, W, 1 or 3] of 8 or 16 bits, upright. Alpha is dropped, not blended with a
    background."""
    if picture[128:132] == b"DICM":
        raise ValueError(
            "a DICOM file, which only the Hounsfield programs read; for this loader save it as a "
            "grey PNG of 16 bits, CT through the window -600,1500"
        )
    image = Image.open(io.BytesIO(picture))
    # Pillow turns colours of 16 bits into 8 without a word.
    if image.format == "PNG" and picture[24] == 16 and picture[25] != 0:
        raise ValueError("a PNG of 16-bit colours or with alpha: Pillow cannot read all of its bits")
    image = upright(image)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[:, :, None]
    if image.mode in ("I", "F"):
        raise ValueError(f"samples of Pillow's mode {image.mode}; expected 8 or 16 bits")
    if image.mode in ("1", "L", "LA", "La"):
        return np.asarray(image.convert("L"))[:, :, None]
    if image.mode == "RGBA":
        return np.asarray(image)[:, :, :3]
    return np.asarray(image.convert("RGB"))


def resize(pixels: np.ndarray, size: int, interpolation: str = "bilinear") -> np.ndarray:
    """[H, W, C] to [S, S, C] with antialiasing, in the integers of the Rust crate
    fast_image_resize, so that every pixel is the same: columns first for 8 bits, rows first for
    16."""
    passes = (0, 1) if pixels.dtype == np.uint8 else (1, 0)
    for axis in passes:
        if pixels.shape[axis] != size:
            pixels = resize_axis(pixels, size, axis, interpolation)
    return pixels


def resize_axis(pixels: np.ndarray, size: int, axis: int, interpolation: str) -> np.ndarray:
    bits = 8 * pixels.dtype.itemsize
    weights, precision = integer_weights(pixels.shape[axis], size, bits, interpolation)
    # Products and sums stay below 2**53: exact in f64, whose matrix product is fast.
    sums = np.tensordot(weights.astype(np.float64), pixels.astype(np.float64), axes=(1, axis))
    levels = (sums.astype(np.int64) + (1 << (precision - 1))) >> precision
    levels = np.clip(levels, 0, (1 << bits) - 1).astype(pixels.dtype)
    return np.moveaxis(levels, 0, axis)


def triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 - np.abs(x), 0.0)


def cubic(x: np.ndarray) -> np.ndarray:
    """Cubic convolution with a = −0.5, in the order of operations of fast_image_resize."""
    x = np.abs(x)
    near = ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


# Each filter and how far it reaches.
FILTERS = {"bilinear": (triangle, 1.0), "bicubic": (cubic, 2.0)}


def integer_weights(length: int, size: int, bits: int, interpolation: str) -> tuple[np.ndarray, int]:
    """The filter's weights [size, length] as integers, and the power of two that they stand for."""
    shape, support = FILTERS[interpolation]
    scale = length / size
    stretch = max(scale, 1.0)
    radius = support * stretch
    weights = np.zeros((size, length))
    for out in range(size):
        centre = (out + 0.5) * scale
        low = max(math.floor(centre - radius), 0)
        high = min(math.ceil(centre + radius), length)
        row = shape((np.arange(low, high) - (centre - 0.5)) * (1.0 / stretch))
        total = 0.0
        for weight in row:
            total += weight
        weights[out, low:high] = row / total
    limits = {8: (22, 15), 16: (46, 31)}
    most, width = limits[bits]
    largest = weights.max()
    precision = 0
    for precision in range(most):
        if math.floor(largest * (1 << (precision + 1)) + 0.5) >= 1 << width:
            break
    # Rounded half away from zero.
    scaled = weights * (1 << precision)
    return np.copysign(np.floor(np.abs(scaled) + 0.5), scaled), precision
