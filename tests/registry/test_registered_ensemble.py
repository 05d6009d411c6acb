"""An ensemble is registered as one model, and comes back as one."""

import csv

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from project import CLASSES, Project


@pytest.fixture(scope="module")
def ensemble(programs, server, data, tmp_path_factory):
    """A model, and the same with the pictures flipped."""
    project = Project(programs, tmp_path_factory.mktemp("ensemble"), server, data)
    params = project.folder / "params.yaml"
    changed = yaml.safe_load(params.read_text(encoding="utf-8"))
    changed["calibrate"] |= {"out_of_fold_below": 200, "flips": ["horizontal"]}
    params.write_text(yaml.safe_dump(changed), encoding="utf-8")
    for program in ("prepare-base", "train", "select", "calibrate"):
        project.run(program)
    member = project.model.rename(project.folder / "plain")
    project.run("ensemble", member, "--output", "model", "--equal")
    project.run("evaluate")
    return project


def test_it_is_registered_and_comes_back_with_the_same_answers(ensemble, data, client):
    ensemble.run("register", "--name", "several")
    files = {path.name: path.read_bytes() for path in ensemble.model.iterdir()}
    fetched = ensemble.folder / "fetched"
    config = yaml.safe_load((ensemble.folder / "config.yaml").read_text(encoding="utf-8"))
    config["paths"] |= {"model": str(fetched), "evaluation": str(ensemble.folder / "fetched-scores")}
    (ensemble.folder / "fetch.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    ensemble.run("register", "--fetch", "models:/several@champion", "--config", "fetch.yaml")
    back = {path.name: path.read_bytes() for path in fetched.iterdir()}
    assert {name for name in back if name != "registered.json"} == set(files)
    assert all(back[name] == files[name] for name in files)

    loaded = mlflow.pyfunc.load_model("models:/several@champion")
    with (ensemble.evaluation / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:20]
    images = [data / "data_ingestion" / row["path"] for row in rows]
    table = loaded.predict(pd.DataFrame({"image": [path.read_bytes() for path in images]}))
    for name in CLASSES:
        theirs = np.array([float(row[f"prob_{name}"]) for row in rows])
        assert np.abs(table[f"prob_{name}"].to_numpy() - theirs).max() < 1e-4
    assert client.get_model_version("several", "1").tags["test.accuracy"]
