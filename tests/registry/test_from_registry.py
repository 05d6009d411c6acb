"""A registered model is fetched again, for the pipeline and in Python."""

import csv
import importlib.metadata
import importlib.util
import io
import json
import sys
import zlib
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from packaging.requirements import Requirement
from PIL import Image
from safetensors.numpy import load_file

import hounsfield
from project import CLASSES, PROJECT

TOLERANCE = 1e-4
LOADER = PROJECT / "crates/tracking/registered-model/src/hounsfield_model.py"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def registered(good, request):
    """A model of the test's own name, registered."""
    name = request.node.name.removeprefix("test_")
    good.run("register", "--name", name)
    return name


def test_the_champion_comes_back_and_has_the_scores_that_were_registered(good, registered, client):
    model, scores = contents(good.model), (good.evaluation / "scores.json").read_bytes()
    for path in good.model.iterdir():
        path.unlink()
    output, _ = good.run("register", "--fetch", f"models:/{registered}@champion")
    assert f"fetched {registered} version 1" in output
    fetched = contents(good.model)
    told = json.loads(fetched.pop("registered.json"))
    assert fetched == model
    weights = json.loads((good.model / "model.json").read_text())["digests"]["weights"]
    assert told == {"name": registered, "version": 1, "weights": weights}
    good.run("evaluate")
    assert (good.evaluation / "scores.json").read_bytes() == scores
    version = client.get_model_version(registered, "1")
    place = mlflow.get_logged_model(version.source.removeprefix("models:/")).artifact_location
    logged = mlflow.artifacts.load_text(f"{place}/evaluation/scores.json")
    assert logged.encode() == scores


def test_a_file_that_was_changed_on_the_server_is_refused(good, weak, registered, server_folder):
    weights = list(server_folder.glob("artifacts/**/models/*/artifacts/data/trained_model.safetensors"))
    digest = json.loads((good.model / "model.json").read_text())["digests"]["weights"]
    mine = [path for path in weights if digest in (path.parents[1] / "digests.json").read_text()]
    assert mine
    before, model = mine[0].read_bytes(), contents(weak.model)
    damaged = bytearray(before)
    damaged[len(damaged) // 2] ^= 1
    mine[0].write_bytes(damaged)
    try:
        _, log = weak.run("register", "--fetch", f"models:/{registered}/1", code=1)
    finally:
        mine[0].write_bytes(before)
    assert "data/trained_model.safetensors" in log
    assert "changed or damaged" in log
    assert contents(weak.model) == model


def test_what_is_not_there_is_said(good, registered):
    model = contents(good.model)
    _, log = good.run("register", "--fetch", f"models:/{registered}/7", code=1)
    assert f"models:/{registered}/7" in log
    assert "there is no such" in log
    _, log = good.run("register", "--fetch", "champion", code=2)
    assert "models:/NAME@ALIAS" in log
    good.run("register", "--fetch", "models:/a@b", "--name", "x", code=2)
    assert contents(good.model) == model


def test_python_gives_the_same_classes_and_probabilities(good, registered, data):
    with (good.evaluation / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pictures = [(data / "data_ingestion" / row["path"]).read_bytes() for row in rows]
    model = mlflow.pyfunc.load_model(f"models:/{registered}@champion")
    found = model.predict(pd.DataFrame({"image": pictures}))
    assert list(found["predicted"]) == [row["predicted"] for row in rows]
    columns = [f"prob_{name}" for name in CLASSES]
    expected = np.array([[float(row[column]) for column in columns] for row in rows])
    worst = np.abs(found[columns].to_numpy() - expected).max()
    assert worst <= TOLERANCE, f"probabilities differ by up to {worst}"
    # A model with the same answer for every image would pass without meaning.
    assert expected.std(axis=0).max() > 20 * TOLERANCE


def test_the_python_package_loads_it_by_its_address(good, registered, data):
    with (good.evaluation / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:20]
    model = hounsfield.load(f"models:/{registered}@champion")
    found = model.predict([data / "data_ingestion" / row["path"] for row in rows])
    assert model.classes == CLASSES
    kept = [(said, row) for said, row in zip(found, rows, strict=True) if said.accepted]
    assert len(kept) > len(rows) / 2
    for said, row in kept:
        assert said.predicted == row["predicted"]
        for name, probability in said.probabilities.items():
            assert abs(probability - float(row[f"prob_{name}"])) <= TOLERANCE
    with pytest.raises(hounsfield.Error, match="could not be fetched"):
        hounsfield.load(f"models:/{registered}@nobody")


def test_the_input_example_can_be_predicted(registered):
    package = mlflow.models.Model.load(f"models:/{registered}@champion")
    example = package.load_input_example()
    found = mlflow.pyfunc.load_model(f"models:/{registered}@champion").predict(example)
    assert found["predicted"][0] in CLASSES
    assert len(found) == 1


def test_what_the_loader_needs_is_what_it_is_tested_with(registered):
    path = mlflow.pyfunc.get_model_dependencies(f"models:/{registered}@champion")
    requirements = [Requirement(line) for line in Path(path).read_text().splitlines()]
    assert {"torch", "pillow", "safetensors"} <= {requirement.name for requirement in requirements}
    for requirement in requirements:
        installed = importlib.metadata.version(requirement.name)
        assert requirement.specifier.contains(installed), f"{requirement}, but {installed}"


@pytest.fixture(scope="module")
def loader():
    """The module that MLflow imports. No bytecode beside it, because DVC checks the folder."""
    specification = importlib.util.spec_from_file_location("loader_under_test", LOADER)
    module = importlib.util.module_from_spec(specification)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    specification.loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


def pictures():
    """Of every kind that Pillow reads without conversion, in sizes that are shrunk, enlarged and kept."""
    generator = np.random.default_rng(5)
    grey = generator.integers(0, 256, (97, 131), dtype=np.uint8)
    colours = generator.integers(0, 256, (41, 64, 4), dtype=np.uint8)
    deep = generator.integers(0, 65536, (150, 70), dtype=np.uint16)
    ramp = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    return {
        "grey": Image.fromarray(grey),
        "rgb": Image.fromarray(colours[:, :, :3]),
        "rgba": Image.fromarray(colours),
        "grey_alpha": Image.fromarray(colours).convert("LA"),
        "palette": Image.fromarray(colours[:, :, :3]).quantize(16),
        "one_bit": Image.fromarray(grey).convert("1"),
        "sixteen_bit": Image.fromarray(deep),
        "right_size": Image.fromarray(ramp),
    }


NORMALISATIONS = {
    "unit": "unit",
    "imagenet": "imagenet",
    "caffe": "caffe",
    "channels": {"channels": {"mean": [0.1, 0.33333334, 0.7], "deviation": [0.5, 0.3, 0.001]}},
}


@pytest.fixture(params=NORMALISATIONS.values(), ids=NORMALISATIONS)
def normalised(good, request):
    """A model whose images are normalised in one of the possible ways."""
    path = good.model / "model.json"
    before = path.read_text()
    description = json.loads(before)
    description["preprocessing"]["normalisation"] = request.param
    # A description that was changed by hand has no matching seal.
    description.pop("seal", None)
    path.write_text(json.dumps(description))
    yield good
    path.write_text(before)


def test_python_sees_every_picture_as_the_programs_do(normalised, loader, tmp_path):
    good = normalised
    folder = tmp_path / "pictures" / "normal"
    folder.mkdir(parents=True)
    for name, picture in pictures().items():
        picture.save(folder / f"{name}.png")
    dump = tmp_path / "inputs.safetensors"
    good.run(
        "evaluate", "--data", str(folder.parent), "--output", str(tmp_path / "scores"),
        "--dump-inputs", str(dump), "--limit", "20",
    )  # fmt: skip
    seen = load_file(dump)["images"]
    model = loader.Model(good.model)
    for name, expected in zip(sorted(pictures()), seen, strict=True):
        found = model.planes((folder / f"{name}.png").read_bytes())
        assert np.array_equal(found, expected), f"{name}: {np.abs(found - expected).max()}"


def test_colours_that_pillow_would_cut_are_refused(loader):
    # The header of a 16-bit colour PNG; its pixels do not matter.
    header = io.BytesIO()
    Image.new("RGB", (2, 2)).save(header, "PNG")
    changed = bytearray(header.getvalue())
    changed[24] = 16
    changed[29:33] = zlib.crc32(bytes(changed[12:29])).to_bytes(4, "big")
    with pytest.raises(ValueError, match="16-bit colours"):
        loader.decode(bytes(changed))
