"""The checks of `calibrate` for foreign images, compared with scikit-learn: the shrunken covariance of the model's
features, and the distance from them."""

import numpy
import pytest
import torch
from safetensors.torch import load_file
from sklearn.covariance import LedoitWolf

from test_model_in_python import rebuild

ENOUGH = "1000"


def seen_by_model(pipeline, data, split):
    """The input tensors of all images of a split."""
    path = pipeline.folder / f"{split}.safetensors"
    folder = data / "data_ingestion" / split
    pipeline.run(
        "evaluate", "--data", str(folder), "--output", "unused",
        "--dump-inputs", str(path), "--limit", ENOUGH,
    )  # fmt: skip
    return load_file(path)["images"]


@pytest.fixture(scope="module")
def pooled(pipeline, data):
    """Means of the last block's 512 channels, for the calibration images and for the others."""
    features, _, _ = rebuild(pipeline.folder / "model")

    def means(split):
        with torch.no_grad():
            maps = features(seen_by_model(pipeline, data, split))
        return maps.mean(dim=(2, 3)).double().numpy()

    return numpy.concatenate([means("train"), means("valid")]), means("test")


@pytest.fixture(scope="module")
def expected(pooled):
    return LedoitWolf().fit(pooled[0])


@pytest.fixture(scope="module")
def reference(pipeline):
    tensors = load_file(pipeline.folder / "model" / "foreign.safetensors")
    return tensors["mean"].double().numpy(), tensors["whitening"].double().numpy()


def test_mean_and_covariance_are_those_of_ledoit_and_wolf(reference, expected):
    mean, whitening = reference
    scale = numpy.abs(expected.location_).max()
    assert numpy.abs(mean - expected.location_).max() < 1e-4 * scale
    # whitening = L⁻¹, where covariance = L Lᵀ
    factor = numpy.linalg.inv(whitening)
    worst = numpy.abs(factor @ factor.T - expected.covariance_).max()
    assert worst < 1e-3 * numpy.abs(expected.covariance_).max()
    assert 0 < expected.shrinkage_ < 1, "neither the sample's covariance nor the identity"


def test_distances_are_mahalanobis(reference, expected, pooled):
    mean, whitening = reference
    for images in pooled:
        found = numpy.linalg.norm((images - mean) @ whitening.T, axis=1)
        distances = numpy.sqrt(expected.mahalanobis(images))
        assert found == pytest.approx(distances, rel=1e-3)
