"""Each base as a model: fine-tuned with a kill in the middle, selected, calibrated, loaded in Python, served with a
heat map. Small, so that all of them take little more than a minute.
"""

import base64
import io
import json
import shutil
import subprocess
import urllib.request

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hounsfield import hounsfield_model
from small_models import params
from small_pipeline import Pipeline

# The layer below those that learn, a cut point that changes with them, and a side in pixels that leaves more than one
# place in the last maps.
BASES = {
    "vgg19": ("block5_conv3", "block5_pool", 64),
    "resnet18": ("layer4.0", "layer4", 40),
    "resnet50": ("layer4.1", "layer4", 40),
    "densenet121": ("features.denseblock4.denselayer15", "features.norm5", 64),
    "efficientnet_b0": ("blocks.5.3", "bn2", 40),
    "tf_efficientnet_lite0": ("blocks.5.3", "bn2", 40),
    "convnext_tiny": ("stages.3.blocks.1", "stages.3", 64),
    "vit_small_patch14_dinov2": ("blocks.10", "norm", 42),
    "vit_small_patch14_reg4_dinov2": ("blocks.10", "norm", 42),
}


def configured(base):
    """params.yaml: a solved head, then two epochs in which the last layers learn, too."""
    below, cut, side = BASES[base]
    made = params({"kind": "linear", "hidden_units": 0, "image_size": side})
    made["prepare_base"] |= {"architecture": base, "freeze": {"until": below}}
    # VGG and DenseNet have no branches to leave out.
    made["prepare_base"]["stochastic_depth"] = 0.0 if base in ("vgg19", "densenet121") else 0.1
    made["train"] |= {
        "normalisation": "auto",
        "solve": {"folds": 2, "strengths": [0.3], "widths": [], "cuts": [[cut]]},
        "descent": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-4},
    }
    return made


def checkpoints(pipeline):
    training = pipeline.folder / "artifacts" / "model_training"
    return {str(file.relative_to(training)): file.read_bytes() for file in sorted(training.rglob("*.*"))}


@pytest.fixture(scope="module", params=BASES)
def model(request, programs, data, tmp_path_factory):
    """A small model on a base, calibrated. Its training was killed after the first epoch and went on."""
    base = request.param
    pipeline = Pipeline(
        programs, tmp_path_factory.mktemp(base), {"kind": "linear", "hidden_units": 0, "image_size": 40}, data
    )
    (pipeline.folder / "params.yaml").write_text(json.dumps(configured(base)), encoding="utf-8")
    pipeline.run("prepare-base")
    pipeline.run("train")
    whole = checkpoints(pipeline)
    shutil.rmtree(pipeline.folder / "artifacts" / "model_training")
    training = subprocess.Popen(
        [programs / "train"], cwd=pipeline.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    seen = []
    for line in training.stderr:
        seen.append(line)
        if "epoch 1" in line:
            training.kill()
            break
    training.wait()
    assert any("epoch 1" in line for line in seen), "".join(seen)
    pipeline.run("train")
    assert checkpoints(pipeline) == whole, f"{base}: a resumed training ended with other bytes"
    for stage in ("select", "calibrate"):
        pipeline.run(stage)
    return pipeline


def pictures(data):
    return sorted((data / "data_ingestion" / "test").rglob("*.png"))[:6]


def test_the_description_names_the_base_and_its_cut_points(model):
    for name in ("model/model.json", "artifacts/base_model/architecture.json"):
        architecture = json.loads((model.folder / name).read_text())["architecture"]
        assert architecture["base"] in BASES
        assert BASES[architecture["base"]][1] == architecture["cut_points"][-1]


def test_python_predicts_what_predict_does(model, data):
    files = pictures(data)
    table = pd.read_csv(io.StringIO(model.run("predict", *files)))
    loaded = hounsfield_model.Model(model.folder / "model")
    theirs = loaded.predict(pd.DataFrame({"image": [file.read_bytes() for file in files]}))
    for column in (name for name in theirs.columns if name.startswith("prob_")):
        assert np.abs(table[column] - theirs[column]).max() < 1e-4, column


def test_the_server_answers_with_a_heat_map(model, data):
    """The map is the base's: finer than one value, and not the same everywhere."""
    picture = pictures(data)[0]
    server = subprocess.Popen(
        [model.programs / "serve", "--address", "127.0.0.1:0"],
        cwd=model.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address = server.stdout.readline().split()[-1]
        request = urllib.request.Request(
            f"{address}/v1/predict?explain=grad-cam", data=picture.read_bytes(), headers={"Content-Type": "image/png"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.load(answer)
    finally:
        server.terminate()
        server.wait()
    heat = said["predictions"][0]["prediction"]["explanation"]["png"].split(",")[-1]
    image = Image.open(io.BytesIO(base64.b64decode(heat)))
    assert len(np.unique(np.asarray(image)[..., 3])) > 1
