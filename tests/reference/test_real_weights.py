"""EfficientNet-Lite0 with real weights sees in plain photographs what is there: nothing between a file and the features
is wrong in a way that drawn weights would not show."""

import importlib.util
import json
import subprocess
from importlib import resources

import matplotlib.cbook
import pytest
import torch
from safetensors.torch import load_file, save_file

import lite0
from small_models import params

# Classes of ImageNet by their numbers.
MILITARY_UNIFORM = {652}
BUILDINGS = {663, 668, 698, 832}  # monastery, mosque, palace, stupa
FLOWERS = {985, 986}  # daisy, yellow lady's slipper


def photographs():
    """A photograph of a package, and what may be seen in it."""
    samples = resources.files("sklearn.datasets.images")
    return [
        (matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False), MILITARY_UNIFORM),
        (str(samples / "china.jpg"), BUILDINGS),
        (str(samples / "flower.jpg"), FLOWERS),
    ]


@pytest.fixture(scope="module")
def weights():
    assert importlib.util.find_spec(lite0.PACKAGE), "scripts/setup reference installs it"
    return lite0.weights()


def test_photographs_are_what_they_are(weights, base_program, tmp_path):
    head = {"classifier.0.weight": torch.zeros(2, 1280), "classifier.0.bias": torch.zeros(2)}
    base = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")}
    save_file(base | head, tmp_path / "weights.safetensors")
    files = [str(path) for path, _ in photographs()]
    out = tmp_path / "out.safetensors"
    command = [base_program, "tf_efficientnet_lite0", tmp_path / "weights.safetensors", "224", out, *files]
    subprocess.run(command, check=True)
    pooled = load_file(out)["maps.bn2"].mean(dim=(2, 3))
    logits = torch.nn.functional.linear(pooled, weights["classifier.weight"], weights["classifier.bias"])
    for (path, expected), row in zip(photographs(), logits.softmax(dim=1), strict=True):
        best = row.topk(5).indices.tolist()
        assert expected & set(best), f"{path}: {best}"
    # Nobody takes the officer for anything else.
    assert int(logits[0].argmax()) in MILITARY_UNIFORM


def test_prepare_base_takes_what_the_file_says(weights, programs, tmp_path):
    (tmp_path / "weights").mkdir()
    lite0.write(tmp_path / "weights" / "tf_efficientnet_lite0.safetensors")
    config = {"data": {"source": {"kind": "sample"}, "classes": {"cancer": ["cancer"], "normal": ["normal"]}}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    (tmp_path / "params.yaml").write_text(json.dumps(params({"kind": "linear", "hidden_units": 0, "image_size": 64})))
    command = [programs / "prepare-base", "--architecture", "tf_efficientnet_lite0", "--weights", "imagenet"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    description = json.loads((tmp_path / "artifacts/base_model/architecture.json").read_text())
    said = description["weights"]["input"]
    assert (said["interpolation"], said["image_size"]) == ("bicubic", 224)
    assert said["normalisation"]["channels"]["mean"] == pytest.approx([127 / 255] * 3)
    written = load_file(tmp_path / "artifacts/base_model/base_model.safetensors")
    assert set(written) == {name for name in weights if not name.startswith("classifier.")}
    assert torch.equal(written["conv_head.weight"], weights["conv_head.weight"])
