"""Keras' own weight files: the frozen part of the base gives the same output for a picture as Keras' VGG16, at the
border too. If .venv-bench is set up, Keras writes such files itself and computes the output."""

import hashlib
import os
import subprocess
from pathlib import Path

import h5py
import numpy
import pytest
import torch
import yaml
from PIL import Image
from torch.nn import functional

PROJECT = Path(__file__).resolve().parents[2]
KERAS = Path(os.environ.get("HOUNSFIELD_KERAS", PROJECT / ".venv-bench/bin/python"))
SIZE = 64
PUBLISHED = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
# Keras' names, and outputs; the frozen part ends with the third block.
CONVOLUTIONS = [
    ("block1_conv1", 64), ("block1_conv2", 64), ("block2_conv1", 128), ("block2_conv2", 128),
    ("block3_conv1", 256), ("block3_conv2", 256), ("block3_conv3", 256), ("block4_conv1", 512),
    ("block4_conv2", 512), ("block4_conv3", 512), ("block5_conv1", 512), ("block5_conv2", 512),
    ("block5_conv3", 512),
]  # fmt: skip
FROZEN = ["block1", "block2", "block3"]
# Keras' preprocess_input: blue, green, red from 0 to 255, less these.
MEAN_BGR = [103.939, 116.779, 123.68]
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def weights():
    """Kernels [3, 3, inputs, outputs] and biases, by Keras' names."""
    random = numpy.random.default_rng(5)
    tensors, inputs = {}, 3
    for name, outputs in CONVOLUTIONS:
        kernel = random.normal(0, (2 / (9 * inputs)) ** 0.5, (3, 3, inputs, outputs))
        bias = random.normal(0, 1, outputs)
        tensors[name] = kernel.astype("float32"), bias.astype("float32")
        inputs = outputs
    return tensors


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Class folders of colour pictures, of the model's input size, so that nothing is resized."""
    random = numpy.random.default_rng(6)
    folder = tmp_path_factory.mktemp("scans")
    for name, tint in [("cancer", (1.0, 0.6, 0.2)), ("normal", (0.3, 0.7, 1.0))]:
        (folder / name).mkdir()
        for number in range(12):
            pixels = random.integers(0, 256, (SIZE, SIZE, 3)) * tint
            Image.fromarray(pixels.astype("uint8")).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def features(programs, scans, tmp_path_factory):
    """The frozen part's output for each training picture with a weights file, [C, H, W], by path."""

    def run(file):
        folder = tmp_path_factory.mktemp("project")
        config = {
            "data": {
                "source": {"kind": "local", "path": str(scans)},
                "classes": {"cancer": ["cancer"], "normal": ["normal"]},
            },
            "pretrained": {"file": str(file)},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        (folder / "params.yaml").write_text((PROJECT / "tests/params/by-epochs.yaml").read_text(encoding="utf-8"))
        for command in [
            ["ingest"],
            ["validate"],
            ["prepare-base", "--weights", "imagenet", "--image-size", str(SIZE), "--head", "flatten",
             "--freeze", "until:block3_pool"],
            ["train", "--epochs", "1", "--device", "cpu", "--precision", "fp32"],
        ]:  # fmt: skip
            program, *flags = command
            done = subprocess.run([programs / program, *flags], cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{program} ended with {done.returncode}:\n{done.stderr}"
        return records(folder, scans)

    return run


def records(folder, scans):
    """The stored records of pictures: magic, digest, values, checksum."""
    kept = {path.stem: path for path in (folder / "artifacts/features").rglob("*.features")}
    found = {}
    for picture in sorted(scans.rglob("*.png")):
        digest = hashlib.sha256(picture.read_bytes()).hexdigest()
        if digest in kept:
            values = numpy.frombuffer(kept[digest].read_bytes()[40:-4], dtype="<f4")
            found[picture] = values.reshape(256, SIZE // 8, SIZE // 8)
    assert len(found) >= 8, f"{len(kept)} records, of which {len(found)} are of these pictures"
    return found


def bgr(picture):
    """[1, 3, S, S], from 0 to 255."""
    pixels = numpy.asarray(Image.open(picture))[:, :, ::-1].astype("float32")
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]


def blocks(x, weights, first_bias=None):
    """The frozen blocks of an input, with PyTorch."""
    for block in FROZEN:
        for name in [name for name, _ in CONVOLUTIONS if name.startswith(block)]:
            kernel, bias = (torch.from_numpy(tensor) for tensor in weights[name])
            bias = first_bias if name == "block1_conv1" and first_bias is not None else bias
            x = functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1).relu()
        x = functional.max_pool2d(x, 2)
    return x[0].numpy()


def as_keras_does(picture, weights):
    return blocks(bgr(picture) - torch.tensor(MEAN_BGR)[None, :, None, None], weights)


def worst(ours, expected):
    """The largest difference at the border and inside, as shares of the usual value there."""
    border = numpy.ones(expected.shape[1:], dtype=bool)
    border[1:-1, 1:-1] = False
    share = {}
    for place, cells in [("border", border), ("inside", ~border)]:
        usual = numpy.sqrt(numpy.mean(expected[:, cells] ** 2))
        share[place] = numpy.abs(ours - expected)[:, cells].max() / usual
    return share


def write_as_published(path, weights):
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in weights.items():
            file[f"{name}/{name}_W_1:0"] = kernel
            file[f"{name}/{name}_b_1:0"] = bias
            file[name].attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
        file.attrs["layer_names"] = [name.encode() for name in weights]


def test_the_file_that_keras_gives_away(features, weights, tmp_path):
    write_as_published(tmp_path / PUBLISHED, weights)
    for picture, ours in features(tmp_path / PUBLISHED).items():
        share = worst(ours, as_keras_does(picture, weights))
        assert max(share.values()) <= TOLERANCE, f"{picture.name}: {share}"


def test_means_folded_into_the_bias_would_be_wrong_at_the_border(scans, weights):
    kernel, bias = weights["block1_conv1"]
    means = numpy.array(MEAN_BGR, dtype="float32")
    folded = torch.from_numpy(bias - numpy.einsum("hwio,i->o", kernel, means))
    picture = min(scans.rglob("*.png"))
    expected = as_keras_does(picture, weights)
    share = worst(blocks(bgr(picture), weights, folded), expected)
    assert share["border"] > 10 * TOLERANCE, "the test above could not tell"


# A program with Keras: writes the weights in three ways, and prints its output.
KERAS_PROGRAM = """
import sys
import keras, numpy
from keras.applications.vgg16 import VGG16, preprocess_input
from PIL import Image

folder, pictures = sys.argv[1], sys.argv[2:]
saved = numpy.load(folder + "/weights.npz")
model = VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
for layer in model.layers:
    if layer.weights:
        layer.set_weights([saved[layer.name + "/kernel"], saved[layer.name + "/bias"]])
model.save_weights(folder + "/saved.weights.h5")
model.save(folder + "/whole.h5")
frozen = keras.Model(model.input, model.get_layer("block3_pool").output)
images = numpy.stack([numpy.asarray(Image.open(name)) for name in pictures]).astype("float32")
numpy.save(folder + "/seen.npy", frozen.predict(preprocess_input(images), verbose=0))
"""


@pytest.mark.skipif(not KERAS.exists(), reason="no Keras: scripts/setup bench brings it")
@pytest.mark.parametrize("file", ["saved.weights.h5", "whole.h5"])
def test_keras_itself(features, weights, scans, tmp_path, file):
    parts = {
        f"{name}/{part}": tensor
        for name, tensors in weights.items()
        for part, tensor in zip(["kernel", "bias"], tensors, strict=True)
    }
    numpy.savez(tmp_path / "weights.npz", **parts)
    pictures = sorted(scans.rglob("*.png"))
    command = [KERAS, "-c", KERAS_PROGRAM, tmp_path, *pictures]
    subprocess.run(command, check=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
    seen = numpy.load(tmp_path / "seen.npy").transpose(0, 3, 1, 2)
    ours = features(tmp_path / file)
    for picture, expected in zip(pictures, seen, strict=True):
        if picture in ours:
            share = worst(ours[picture], expected)
            assert max(share.values()) <= TOLERANCE, f"{picture.name}: {share}"
