"""The places that the selected model looks at, computed again with PyTorch's autograd: Grad-CAM of the last convolution
(Selvaraju et al. 2017) for heads that only read it; for heads that read the mean and the deviation of each channel at
several cut points, the contribution of each place to the logit to first order."""

from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from test_model_in_python import head_input, rebuild

IMAGES = 8
TOLERANCE = 1e-3

# The ReLU after the last convolution, in torchvision's VGG16.
LAST_CONVOLUTION = 29


@pytest.fixture(scope="module")
def dumped(pipeline):
    """Input tensors, and the maps of `evaluate`."""
    path = pipeline.folder / "looked.safetensors"
    pipeline.run("evaluate", "--dump-inputs", str(path), "--limit", str(IMAGES))
    return load_file(path)


def of_statistics(model_folder, features, logits, image):
    """Gradients times each place's contribution to means and deviations, summed over the channels, on one grid."""
    training = load_file(model_folder / "trained_model.safetensors")["standardise.mean"]
    pooled = []
    with torch.no_grad():
        for layer in features:
            image = layer(image)
            if isinstance(layer, torch.nn.MaxPool2d):
                pooled.append(image.clone())
    read = [part for it in pooled for part in (it.mean(dim=(2, 3)), it.std(dim=(2, 3), correction=0))]
    read = torch.cat(read, dim=1).requires_grad_(True)
    row = logits(read)[0]
    row[row.argmax()].backward()
    total: Any = 0
    start, side = 0, pooled[-2].shape[-1]
    for maps in pooled:
        channels = maps.shape[1]
        means, deviations = slice(start, start + channels), slice(start + channels, start + 2 * channels)
        start = deviations.stop

        def planes(row, columns):
            return row[columns, None, None]

        seen = read.detach()[0]
        moved = planes(read.grad[0], means) * (maps[0] - planes(training, means))
        squares = (maps[0] - planes(seen, means)).square() - planes(training, deviations).square()
        sums = (planes(seen, deviations) + planes(training, deviations)).clamp_min(1e-38)
        moved = moved + planes(read.grad[0], deviations) * squares / sums
        moved = moved.sum(dim=0)[None, None]
        if moved.shape[-1] >= side:
            moved = torch.nn.functional.adaptive_avg_pool2d(moved, side)
        else:
            moved = torch.nn.functional.interpolate(moved, size=side, mode="bilinear", align_corners=False)
        total = total + moved[0, 0]
    return total.relu()


def grad_cam(model_folder, image):
    """The map of the most probable class of an image [1, 3, S, S], not scaled."""
    features, logits, head = rebuild(model_folder)
    if head in ("linear", "kernel"):
        return of_statistics(model_folder, features, logits, image)
    seen = {}

    def keep(_module, _input, output):
        # An in-place pooling would overwrite its input.
        seen["maps"] = output.requires_grad_(True)
        output.retain_grad()

    for layer in features:
        if isinstance(layer, torch.nn.ReLU):
            layer.inplace = False
    features.requires_grad_(False)
    hook = features[LAST_CONVOLUTION].register_forward_hook(keep)
    row = logits(head_input(features, head, image))[0]
    hook.remove()
    row[row.argmax()].backward()
    maps, gradients = seen["maps"].detach()[0], seen["maps"].grad[0]
    return (gradients.mean(dim=(1, 2))[:, None, None] * maps).sum(dim=0).relu()


def test_maps_agree_with_autograd(pipeline, dumped):
    assert dumped["grad_cam"].shape[0] == IMAGES
    model, with_heat = pipeline.folder / "model", 0
    for image, found in zip(dumped["images"], dumped["grad_cam"], strict=True):
        expected = grad_cam(model, image[None])
        assert found.shape == expected.shape
        largest = expected.max().item()
        if largest > 0:
            # As the report shows them: scaled so that the largest value is 1.
            with_heat += 1
            worst = (found - expected).abs().max().item() / largest
            assert worst <= TOLERANCE, f"maps differ by up to {worst} of their largest value"
        else:
            assert found.max().item() <= 1e-6
    # If all maps were empty, the test would pass without meaning.
    assert with_heat > 0
