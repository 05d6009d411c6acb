"""The network of a model folder, from pixels to probabilities, and how it becomes an ONNX file."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import hounsfield_model
from .resizing import resized

INPUT, OUTPUT = "image", "probabilities"


class Traceable(hounsfield_model.Model):
    """The loader's model, where a head of `multi_scale` has its means of cells in a form that ONNX has."""

    def head_inputs(self, images: torch.Tensor) -> torch.Tensor:
        if self.head["kind"] != "multi_scale":
            return super().head_inputs(images)
        maps = list(self.vgg(images) if self.network is None else self.timm(self.network, images))
        return torch.cat([multi_scale(it) for it in maps], dim=1)


class Network(torch.nn.Module):
    """What is exported: in come levels from 0 to 255, out come calibrated probabilities, all in fp32."""

    def __init__(self, folder: Path, *, takes_pixels: bool) -> None:
        super().__init__()
        self.loaded = Traceable(folder)
        self.takes_pixels = takes_pixels
        in_fp32(self.loaded)
        self.base = self.loaded.network
        # As buffers, so that the file has them under their names.
        for name, tensor in self.loaded.weights.items():
            if self.base is None or not is_part(name, self.base):
                self.register_buffer(name.replace(".", "_"), tensor)
        self.register_buffer("mean", torch.from_numpy(self.loaded.mean)[:, None, None])
        self.register_buffer("deviation", torch.from_numpy(self.loaded.deviation)[:, None, None])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.takes_pixels:
            image = resized(image, self.loaded.image_size, self.loaded.interpolation)
        planes = (image / 255 - self.mean) / self.deviation
        return (self.loaded.logits(planes) / self.loaded.temperature).softmax(dim=1)

    def example(self) -> torch.Tensor:
        """An input to trace the network with."""
        if self.takes_pixels:
            return torch.arange(2 * 50 * 60 * 3).remainder(256).to(torch.uint8).reshape(2, 50, 60, 3)
        side = self.loaded.image_size
        return torch.arange(2 * 3 * side * side).remainder(256).float().reshape(2, 3, side, side)

    def open_axes(self) -> dict[str, dict[int, str]]:
        """The axes whose lengths the file leaves open."""
        more = {1: "height", 2: "width"} if self.takes_pixels else {}
        return {INPUT: {0: "images", **more}, OUTPUT: {0: "images"}}


def is_part(name: str, base: torch.nn.Module) -> bool:
    """Whether a weight is one of the base's, which holds it itself."""
    return name.split(".", maxsplit=1)[0] in dict(base.named_children()) or name in base.state_dict()


def in_fp32(model: hounsfield_model.Model) -> None:
    """Makes a loaded model compute in fp32, with the weights that it has: those of bf16 were rounded."""
    model.format = torch.float32
    model.weights = {name: tensor.float() for name, tensor in model.weights.items()}
    if model.network is not None:
        model.network = of_one_size(model.base, model.network.float(), model.image_size)


def of_one_size(base: str, network: torch.nn.Module, size: int) -> torch.nn.Module:
    """The same network. A transformer's positions are interpolated now, and not for each picture."""
    if not getattr(network, "dynamic_img_size", False):
        return network
    import timm

    resize: Any = network.set_input_size
    resize(img_size=(size, size))
    made: torch.nn.Module = timm.create_model(base, pretrained=False, num_classes=0, img_size=size)
    made.load_state_dict(network.state_dict())
    return made.eval().requires_grad_(requires_grad=False)


def write(network: Network, path: Path, opset: int) -> None:
    """Writes the network as ONNX.

    By tracing: torch's newer exporter needs one more package, and gives nothing more for these networks.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (network.example(),),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes=network.open_axes(),
        )


def multi_scale(maps: torch.Tensor) -> torch.Tensor:
    """As the loader's. ONNX has means of cells only where all cells are of one size: these are two products."""
    rows, columns = (cells(int(length), 4) for length in maps.shape[2:])
    means = (rows @ maps @ columns.T).flatten(1)
    return torch.cat([means, maps.std(dim=(2, 3), correction=0)], dim=1)


def cells(length: int, count: int) -> torch.Tensor:
    """Weights [count, length] of the means of cells, which may overlap by one."""
    weights = np.zeros((count, length), dtype=np.float32)
    for cell in range(count):
        start, end = cell * length // count, -(-(cell + 1) * length // count)
        weights[cell, start:end] = 1 / (end - start)
    return torch.from_numpy(weights)
