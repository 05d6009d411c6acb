"""The selected model, rebuilt from torchvision's VGG16 and a few lines, gives the same probabilities for the same input
tensors. Besides torchvision, a Python program only needs `dense_layers` and `head_input` to use one of our models."""

import csv
import json

import pytest
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

IMAGES = 10
TOLERANCE = 1e-4


def dense_layers(head, inputs, classes):
    """The head's dense layers, at torchvision's positions."""
    hidden = head["hidden_units"]
    if not hidden:
        return nn.Sequential(nn.Linear(inputs, classes))
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(head["dropout"]), nn.Linear(hidden, classes))


def head_input(features, kind, images):
    """The head's input for images [N, 3, S, S], before standardisation."""
    if kind == "flatten":
        return features(images).flatten(1)
    if kind == "global_pool":
        return features(images).mean(dim=(2, 3))
    assert kind in ("linear", "kernel")
    statistics = []
    for layer in features:
        images = layer(images)
        if isinstance(layer, nn.MaxPool2d):
            statistics += [images.mean(dim=(2, 3)), images.std(dim=(2, 3), correction=0)]
    return torch.cat(statistics, dim=1)


def kernel(tensors, x):
    """Support vectors with a Gaussian kernel."""
    squared = (x[:, None, :] - tensors["vectors"]).square().sum(dim=2)
    return torch.exp(-tensors["gamma"] * squared) @ tensors["coefficients"] + tensors["bias"]


def part(tensors, prefix):
    """The tensors below a prefix, without it: a state_dict."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def rebuild(model_folder):
    """The convolutions, and the part that turns the head's input into logits."""
    architecture = json.loads((model_folder / "model.json").read_text())["architecture"]
    tensors = load_file(model_folder / "trained_model.safetensors")

    features = torchvision.models.vgg16(weights=None).features
    features.load_state_dict(part(tensors, "features."), strict=True)
    standardise = part(tensors, "standardise.")
    if architecture["head"]["kind"] == "kernel":
        of_kernel = part(tensors, "kernel.")

        def answer(x):
            return kernel(of_kernel, (x - standardise["mean"]) * standardise["scale"])

        return features.eval(), answer, "kernel"
    weights = part(tensors, "classifier.")
    dense = dense_layers(architecture["head"], weights["0.weight"].shape[1], len(architecture["classes"]))
    dense.load_state_dict(weights, strict=True)
    dense.eval()

    def logits(x):
        return dense((x - standardise["mean"]) * standardise["scale"] if standardise else x)

    return features.eval(), logits, architecture["head"]["kind"]


def predict(model_folder, images):
    """Probabilities [N, classes] of images [N, 3, S, S]."""
    features, logits, head = rebuild(model_folder)
    calibration = json.loads((model_folder / "calibration.json").read_text())
    temperature = calibration["temperature"]["temperature"]
    return (logits(head_input(features, head, images)) / temperature).softmax(dim=1)


@pytest.fixture(scope="module")
def dumped(pipeline):
    """Input tensors and the output of `evaluate` for them."""
    path = pipeline.folder / "inputs.safetensors"
    pipeline.run("evaluate", "--dump-inputs", str(path), "--limit", str(IMAGES))
    return load_file(path)


def test_torchvision_gives_the_same_probabilities(pipeline, dumped):
    assert dumped["images"].shape[0] == IMAGES
    with torch.no_grad():
        expected = predict(pipeline.folder / "model", dumped["images"])
    worst = (dumped["probabilities"] - expected).abs().max().item()
    assert worst <= TOLERANCE, f"probabilities differ by up to {worst}"
    # A model with nearly the same answer for every image would pass without meaning.
    spread = dumped["probabilities"].std(dim=0).max().item()
    assert worst < spread / 20, f"probabilities differ by up to {worst}, between images by {spread}"


def test_predictions_are_what_the_model_says_of_those_images(dumped, evaluation):
    with (evaluation / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:IMAGES]
    columns = [column for column in rows[0] if column.startswith("prob_")]
    written = torch.tensor([[float(row[column]) for column in columns] for row in rows])
    assert torch.equal(written, dumped["probabilities"])


def test_no_tensor_is_left_over(pipeline):
    tensors = load_file(pipeline.folder / "model" / "trained_model.safetensors")
    assert {name.split(".")[0] for name in tensors} <= {"features", "classifier", "standardise", "kernel"}
    assert all(tensor.dtype == torch.float32 for tensor in tensors.values())
