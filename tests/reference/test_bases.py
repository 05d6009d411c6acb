"""Every base, compared with timm: parameters, preprocessing, the maps at each cut point, the gradients of a step.

The weights are drawn, the statistics of normalisations too, so that nothing is left at 0 or 1.
"""

import subprocess

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from hounsfield import hounsfield_model

# Side of the images, small for the time it takes: 70 is five patches of 14 pixels, so that DINOv2's positions are
# interpolated; 75 is odd, so that borders and poolings must agree.
BASES = {
    "vgg16": 64,
    "vgg19": 64,
    "resnet18": 75,
    "resnet50": 75,
    "densenet121": 75,
    "efficientnet_b0": 75,
    "tf_efficientnet_lite0": 75,
    "convnext_tiny": 75,
    "vit_small_patch14_dinov2": 70,
    "vit_small_patch14_reg4_dinov2": 70,
}
PUBLISHED = {
    "vgg16": "vgg16.tv_in1k",
    "vgg19": "vgg19.tv_in1k",
    "resnet18": "resnet18.a1_in1k",
    "resnet50": "resnet50.a1_in1k",
    "densenet121": "densenet121.ra_in1k",
    "efficientnet_b0": "efficientnet_b0.ra_in1k",
    "tf_efficientnet_lite0": "tf_efficientnet_lite0.in1k",
    "convnext_tiny": "convnext_tiny.in12k_ft_in1k",
    "vit_small_patch14_dinov2": "vit_small_patch14_dinov2.lvd142m",
    "vit_small_patch14_reg4_dinov2": "vit_small_patch14_reg4_dinov2.lvd142m",
}
PICTURES = 8
# Poolings by Keras' names, in torchvision's numbers.
VGG_POOLINGS = {"vgg16": [4, 9, 16, 23, 30], "vgg19": [4, 9, 18, 27, 36]}
# The largest difference of a value, in units of the largest value there.
CLOSE = 1e-4


def drawn(name):
    """timm's network with weights drawn from a seed."""
    torch.manual_seed(19)
    sizes = {"dynamic_img_size": True} if name.startswith("vit") else {}
    model = timm.create_model(name, pretrained=False, num_classes=0, **sizes).eval()
    random = torch.Generator().manual_seed(7)
    for key, tensor in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        if key.endswith("running_mean"):
            tensor.normal_(0, 0.2, generator=random)
        elif key.endswith(("running_var", "gamma")):
            tensor.uniform_(0.5, 1.5, generator=random)
        elif tensor.dim() == 1 and key.endswith("weight"):
            tensor.uniform_(0.3, 0.7, generator=random)
        elif key.endswith("bias"):
            tensor.normal_(0, 0.1, generator=random)
        elif key.endswith(("cls_token", "reg_token", "pos_embed")):
            tensor.normal_(0, 0.5, generator=random)
    return model


def modules(name, cuts):
    """timm's module of each cut point."""
    if name in VGG_POOLINGS:
        return {f"block{block + 1}_pool": f"features.{at}" for block, at in enumerate(VGG_POOLINGS[name])}
    return {cut: cut for cut in cuts}


def as_maps(model, output):
    """A module's output as maps [N, C, H, W]: tokens without a place are left out."""
    if output.dim() == 4:
        return output
    places = output[:, model.num_prefix_tokens :]
    side = int(places.shape[1] ** 0.5)
    return places.transpose(1, 2).reshape(output.shape[0], -1, side, side)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Pictures of several sizes that look like nothing."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(3)
    for number in range(PICTURES):
        height, width = random.integers(60, 300, size=2)
        grid = random.integers(0, 256, size=(7, 9, 3), dtype=np.uint8)
        picture = Image.fromarray(grid).resize((int(width), int(height)), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module", params=BASES)
def both(request, base_program, pictures, tmp_path_factory):
    """A base in both programs: its name, timm's network, our results, and the weights of the head."""
    name, side = request.param, BASES[request.param]
    folder = tmp_path_factory.mktemp(name)
    model = drawn(name)
    weights = {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    # torchvision's and timm's VGG have a top of their own, which a base is without.
    weights = {key: value for key, value in weights.items() if not key.startswith("pre_logits")}
    # At the end of ConvNeXt timm normalises what it pooled, as a part of its top.
    weights = {key: value for key, value in weights.items() if not key.startswith("head.")}
    channels = 512 if name in VGG_POOLINGS else model.num_features
    head = {
        "classifier.0.weight": torch.linspace(-0.1, 0.1, 2 * channels).reshape(2, channels).sin().contiguous(),
        "classifier.0.bias": torch.tensor([0.1, -0.1]),
    }
    save_file({key: value.contiguous() for key, value in (weights | head).items()}, folder / "weights.safetensors")
    command = [base_program, name, folder / "weights.safetensors", str(side), folder / "out.safetensors", *pictures]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return name, side, model, weights, head, load_file(folder / "out.safetensors")


def prepared(name, side, pictures):
    """The pictures as the published weights want them, by Pillow and timm's own configuration."""
    config = timm.get_pretrained_cfg(PUBLISHED[name])
    ways = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    planes = []
    for path in pictures:
        small = Image.open(path).convert("RGB").resize((side, side), ways[config.interpolation])
        values = torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255
        mean, std = (torch.tensor(it)[:, None, None] for it in (config.mean, config.std))
        planes.append((values - mean) / std)
    return torch.stack(planes), torch.tensor(config.std)


def test_pictures_are_prepared_as_the_weights_want_them(both, pictures):
    name, side, _, _, _, ours = both
    theirs, std = prepared(name, side, pictures)
    # Pillow goes along rows first, ours along columns: rounding between the two differs by one level, and by another
    # where a bicubic filter overshoots.
    levels = ((ours["images"] - theirs).abs() * 255 * std[:, None, None]).round()
    assert levels.max() <= 2, name
    assert (levels > 0).float().mean() < 0.05, name
    assert (levels > 1).float().mean() < 0.001, name


def test_the_loader_in_python_prepares_the_same_pixels(both, pictures):
    name, side, _, _, _, ours = both
    config = timm.get_pretrained_cfg(PUBLISHED[name])
    for path, planes in zip(pictures, ours["images"], strict=True):
        pixels = hounsfield_model.resize(np.array(Image.open(path)), side, config.interpolation)
        mean, std = (torch.tensor(it)[:, None, None] for it in (config.mean, config.std))
        prepared = (torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255 - mean) / std
        assert (prepared - planes).abs().max() < 1e-5, f"{name} {path}"


def test_every_parameter_is_there(both):
    name, _, _, weights, _, ours = both
    stepped = {key.removeprefix("stepped.") for key in ours if key.startswith("stepped.")}
    assert stepped == set(weights) | {"classifier.0.weight", "classifier.0.bias"}, name
    top = timm.create_model(PUBLISHED[name].split(".")[0], pretrained=False, num_classes=0)
    parameters = sum(it.numel() for key, it in top.named_parameters() if not key.startswith(("pre_logits", "head.")))
    statistics = ("running_mean", "running_var")
    counted = sum(value.numel() for key, value in weights.items() if not key.endswith(statistics))
    assert counted == parameters, name


def test_the_maps_at_each_cut_point_are_timms(both):
    name, _, model, _, _, ours = both
    found = {key.removeprefix("maps."): value for key, value in ours.items() if key.startswith("maps.")}
    assert len(found) >= 4, name
    outputs = {}
    for cut, module in modules(name, found).items():
        hook = lambda _module, _input, output, cut=cut: outputs.update({cut: output})  # noqa: E731
        model.get_submodule(module).register_forward_hook(hook)
    with torch.inference_mode():
        model.forward_features(ours["images"])
    for cut, maps in found.items():
        expected = as_maps(model, outputs[cut])
        assert maps.shape == expected.shape, f"{name} {cut}"
        # ReLUs are in place: timm's output of a normalisation is what follows it, too.
        difference = (maps - expected).abs().max() / expected.abs().max()
        assert difference < CLOSE, f"{name} {cut}: {difference}"


def gradients(model, head, images):
    """Of the mean cross-entropy for the labels 0, 1, 0, 1, …, with the normalisations' statistics as they are."""
    # In our layout: a sum in another order may move a value across a ReLU's edge, which is a step in the gradient.
    model.eval().requires_grad_(True).to(memory_format=torch.channels_last)
    model.zero_grad()
    maps = as_maps(model, model.forward_features(images.to(memory_format=torch.channels_last)))
    kind = images.dtype
    weight, bias = head["classifier.0.weight"].to(kind), head["classifier.0.bias"].to(kind)
    logits = torch.nn.functional.linear(maps.mean(dim=(2, 3)), weight, bias)
    torch.nn.functional.cross_entropy(logits, torch.arange(PICTURES) % 2).backward()
    return {key: it.grad for key, it in model.named_parameters() if it.grad is not None}


def test_the_gradients_of_a_step_are_timms(both):
    """Rate 1: what changed is the gradient."""
    name, _, model, weights, head, ours = both
    theirs = gradients(model, head, ours["images"])
    wrong = {}
    for key, before in weights.items():
        stepped = ours[f"stepped.{key}"]
        if key.endswith(("running_mean", "running_var")):
            assert torch.equal(stepped, before), f"{name} {key}"
            continue
        expected = theirs.get(key, torch.zeros_like(before))
        difference = (before - stepped - expected).abs().max()
        if difference >= CLOSE * max(1.0, expected.abs().max()):
            wrong[key] = difference
    if wrong:
        # Only where timm's own fp32 is as far from its fp64: an edge that a rounding crossed.
        exact = gradients(model.double(), head, ours["images"].double())
        for key, difference in wrong.items():
            own = (theirs[key] - exact[key]).abs().max()
            of_ours = (weights[key] - ours[f"stepped.{key}"] - exact[key]).abs().max()
            assert of_ours < 2 * own, f"{name} {key}: {difference}; from fp64 ours {of_ours}, timm's {own}"
