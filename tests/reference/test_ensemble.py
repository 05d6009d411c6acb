"""Two bases, each also with the picture flipped, as one model: in every program, and in Python."""

import base64
import io
import json
import shutil
import subprocess
import urllib.request

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from hounsfield import hounsfield_model
from small_models import HEADS, params
from small_pipeline import Pipeline

# The second reads other cut points of another base, at another size.
MEMBERS = {
    "vgg16": (HEADS["linear"], [["block4_pool"]]),
    "resnet18": ({"kind": "kernel", "hidden_units": 0, "image_size": 40}, [["layer2", "layer3"]]),
}


@pytest.fixture(scope="module")
def members(programs, data, tmp_path_factory):
    """Calibrated models, which also saw the pictures flipped."""
    made = {}
    for base, (head, cuts) in MEMBERS.items():
        pipeline = Pipeline(programs, tmp_path_factory.mktemp(base), head, data)
        changed = params(head)
        changed["prepare_base"]["architecture"] = base
        changed["train"]["solve"]["cuts"] = cuts
        changed["calibrate"] |= {"out_of_fold_below": 200, "flips": ["horizontal"]}
        (pipeline.folder / "params.yaml").write_text(json.dumps(changed), encoding="utf-8")
        for stage in ("prepare-base", "train", "select", "calibrate"):
            pipeline.run(stage)
        # Under the name that the ensemble shows.
        made[base] = (pipeline.folder / "model").rename(pipeline.folder / base)
    return made


@pytest.fixture(scope="module")
def ensemble(programs, data, members, tmp_path_factory):
    """All four with one weight, so that none is left out."""
    pipeline = Pipeline(programs, tmp_path_factory.mktemp("ensemble"), HEADS["linear"], data)
    said = pipeline.run("ensemble", *members.values(), "--output", "model", "--equal")
    assert "best alone" in said
    return pipeline


def pictures(data):
    return sorted((data / "data_ingestion" / "test").rglob("*.png"))


def probabilities(table):
    return table[[name for name in table.columns if name.startswith("prob_")]].to_numpy()


def predicted(pipeline, model, files):
    return probabilities(pd.read_csv(io.StringIO(pipeline.run("predict", "--model", model, *files))))


def test_it_says_what_it_is_made_of_and_what_that_is_worth(ensemble):
    described = json.loads((ensemble.folder / "model" / "model.json").read_text())
    assert described["format"] == 5
    assert [it["name"] for it in described["ensemble"]] == [
        "vgg16", "vgg16, flipped (horizontal)", "resnet18", "resnet18, flipped (horizontal)",
    ]  # fmt: skip
    assert [it["weight"] for it in described["ensemble"]] == [0.25] * 4
    record = json.loads((ensemble.folder / "model" / "ensemble.json").read_text())
    assert record["contest"]["verdict"] in ("better", "no_better")
    # Each base is in the file once.
    names = load_file(ensemble.folder / "model" / "trained_model.safetensors").keys()
    assert {name.split(".")[1] for name in names} == {"0", "2"}


def test_python_and_the_programs_give_the_mean_of_the_members(ensemble, members, data):
    files = pictures(data)
    theirs = predicted(ensemble, "model", files)
    loaded = hounsfield_model.Model(ensemble.folder / "model")
    ours = probabilities(loaded.predict(pd.DataFrame({"image": [file.read_bytes() for file in files]})))
    worst = np.abs(theirs - ours).max()
    print(f"ensemble: Python and predict differ by up to {worst:.1e}")
    assert worst < 1e-4
    assert theirs.std(axis=0).max() > 0.02, "it says the same of every picture"

    # By hand, from each model alone, on pictures and on flipped ones.
    def alone(name, flip):
        model = hounsfield_model.Model(members[name])
        planes = np.stack([model.planes(file.read_bytes()) for file in files])
        planes = np.ascontiguousarray(planes[..., ::-1]) if flip else planes
        batches = np.array_split(planes, -(-len(planes) // hounsfield_model.FORWARD_BATCH))
        return np.concatenate([model.probabilities(torch.from_numpy(it)) for it in batches])

    mean = np.mean([alone(name, flip) for name in MEMBERS for flip in (False, True)], axis=0)
    powers = mean ** (1 / loaded.temperature)
    assert np.abs(powers / powers.sum(axis=1, keepdims=True) - ours).max() < 1e-5


def test_it_is_scored_like_any_model(ensemble):
    ensemble.run("evaluate", "--output", "scored")
    scores = json.loads((ensemble.folder / "scored" / "scores.json").read_text())
    assert 0.0 <= scores["accuracy"] <= 1.0
    assert "Ensemble of 4, by weight: vgg16 0.25" in (ensemble.folder / "scored" / "report.html").read_text()


def test_the_server_names_its_members_and_explains_its_answer(ensemble, data):
    server = subprocess.Popen(
        [ensemble.programs / "serve", "--address", "127.0.0.1:0"],
        cwd=ensemble.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address = server.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{address}/v1/model") as reply:
            described = json.load(reply)
        assert [it["architecture"] for it in described["ensemble"]] == ["vgg16", "vgg16", "resnet18", "resnet18"]
        picture = pictures(data)[0].read_bytes()
        request = urllib.request.Request(
            f"{address}/v1/predict?explain=grad-cam", data=picture, headers={"Content-Type": "image/png"}
        )
        with urllib.request.urlopen(request) as reply:
            answer = json.load(reply)
    finally:
        server.terminate()
        server.wait()
    heat = answer["predictions"][0]["prediction"]["explanation"]["png"].split(",")[-1]
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(heat)))).std() > 1


def test_a_model_that_was_not_calibrated_is_refused(ensemble, members, tmp_path):
    bare = shutil.copytree(members["vgg16"], tmp_path / "bare")
    (bare / "held_out.safetensors").unlink()
    log = ensemble.run("ensemble", members["resnet18"], bare, "--output", tmp_path / "out", code=1)
    assert "run calibrate" in log
    assert not (tmp_path / "out").exists()


def test_an_ensemble_is_no_member(ensemble, members, tmp_path):
    log = ensemble.run("ensemble", members["vgg16"], "model", "--output", tmp_path / "out", code=1)
    assert "it is an ensemble itself; name its members" in log


def test_a_folder_that_is_no_model_stays(ensemble, members, tmp_path):
    kept = tmp_path / "notes"
    kept.mkdir()
    (kept / "mine.txt").write_text("mine")
    ensemble.run("ensemble", *members.values(), "--output", kept, "--equal", code=1)
    assert [it.name for it in kept.iterdir()] == ["mine.txt"]


def test_a_changed_member_is_refused(ensemble, members, tmp_path):
    changed = shutil.copytree(members["vgg16"], tmp_path / "changed")
    weights = changed / "trained_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    log = ensemble.run("ensemble", members["resnet18"], changed, "--output", tmp_path / "out", "--equal", code=1)
    assert "trained_model.safetensors" in log
    assert "SHA-256" in log
