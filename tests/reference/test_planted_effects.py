"""Effects of known size are planted into pictures, and the report has to recover them.

Half of the patients have a disease that no picture shows. Every picture does show its patient, by
brightness, contrast and grain: a model that has seen another picture of a patient knows the class, and a
model that has not can only guess.
"""

import json
import subprocess

import numpy as np
import pytest
from PIL import Image

from small_models import HEADS, PROGRAMS, params

PATIENTS = 40
PICTURES = 6
SIDE = 32


def write_scans(folder, *, patients_show_in_the_picture):
    """`class/p07-3.png`; the split is drawn by patient, which is in the name."""
    generator = np.random.default_rng(7)
    for patient in range(PATIENTS):
        label = ["healthy", "ill"][patient % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        grey, contrast, grain = generator.uniform(60, 190), generator.uniform(5, 50), 2 ** generator.integers(0, 4)
        if not patients_show_in_the_picture:
            grey, contrast, grain = 120, 25, 2
        pattern = np.kron(generator.normal(0, contrast, (SIDE // grain, SIDE // grain)), np.ones((grain, grain)))
        for picture in range(PICTURES):
            if not patients_show_in_the_picture:
                pattern = generator.normal(0, contrast, (SIDE, SIDE))
            pixels = np.clip(grey + pattern + generator.normal(0, 2, (SIDE, SIDE)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"p{patient:02}-{picture}.png")


def run_pipeline(programs, folder, *, patients_show_in_the_picture):
    write_scans(folder / "scans", patients_show_in_the_picture=patients_show_in_the_picture)
    config = {
        "data": {
            "source": {"kind": "local", "path": str(folder / "scans")},
            "classes": {"healthy": ["healthy"], "ill": ["ill"]},
            "patients": {"kind": "path", "pattern": r"(p\d+)-"},
            "positive": ["ill"],
        },
    }
    settings = params(HEADS["kernel"] | {"image_size": SIDE})
    settings["evaluate"] |= {"control_refits": 4}
    settings["train"]["solve"] |= {"widths": [0.1, 0.3, 1.0], "strengths": [1.0, 10.0, 100.0]}
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    (folder / "params.yaml").write_text(json.dumps(settings), encoding="utf-8")
    for program in PROGRAMS:
        run(programs / program, folder)
    return json.loads((folder / "artifacts/evaluation/scores.json").read_text(encoding="utf-8"))


def run(program, folder):
    done = subprocess.run([program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def planted(programs, tmp_path_factory):
    return run_pipeline(programs, tmp_path_factory.mktemp("planted"), patients_show_in_the_picture=True)


@pytest.fixture(scope="module")
def clean(programs, tmp_path_factory):
    return run_pipeline(programs, tmp_path_factory.mktemp("clean"), patients_show_in_the_picture=False)


def test_a_random_split_flatters_where_patients_show_and_a_grouped_one_does_not(planted):
    model = planted["worth"]["split_audit"]["model"]
    assert model["random"]["mean"] > 0.75
    assert abs(model["grouped"]["mean"] - 0.5) < 0.15
    assert model["random"]["mean"] - model["grouped"]["mean"] > 0.3


def test_no_split_flatters_where_nothing_was_planted(clean):
    model = clean["worth"]["split_audit"]["model"]
    assert abs(model["random"]["mean"] - model["grouped"]["mean"]) < 0.15


def test_chance_is_what_shuffled_labels_score(planted, clean):
    for scores in (planted, clean):
        steps = {step["kind"]: step for step in scores["worth"]["waterfall"]["steps"]}
        chance = steps["chance"]
        assert chance["how"] == "the mean of 4 heads trained on shuffled labels"
        assert abs(chance["worth"]["value"] - 0.5) < 0.15
