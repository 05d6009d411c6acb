"""Results of a study, and the pipeline from Python."""

import json

import pytest

import hounsfield
from small_study import change

STAGES = {"ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"}


def test_results_are_those_in_the_files(made):
    scores = json.loads((made.path / "artifacts/evaluation/scores.json").read_text(encoding="utf-8"))
    assert made.scores == scores
    table = made.scores_table()
    assert table.loc["normal", "recall"] == scores["classes"]["normal"]["recall"]
    assert table.loc["macro average", "f1"] == scores["macro"]["f1"]
    assert len(made.predictions) == scores["images"]
    assert made.predictions["correct"].mean() == pytest.approx(scores["accuracy"])
    assert made.history["valid_accuracy"].between(0, 1).all()
    assert made.report.read_text(encoding="utf-8").startswith("<!")
    assert made.validation_report.name == "report.html"
    assert made.findings["images"]["all"] == 200


def test_what_is_not_made_yet_is_said(made, tmp_path):
    (tmp_path / "dvc.yaml").write_bytes((made.path / "dvc.yaml").read_bytes())
    study = hounsfield.Study(tmp_path)
    with pytest.raises(hounsfield.NotThere, match="dvc repro"):
        _ = study.scores
    with pytest.raises(hounsfield.NotThere, match="dvc repro"):
        _ = study.report
    with pytest.raises(hounsfield.NotThere, match="hounsfield init"):
        hounsfield.Study(tmp_path / "nothing")


def test_a_second_run_does_nothing(copy):
    lines: list[str] = []
    assert not STAGES & set(copy.run(progress=lines.append))
    assert any("didn't change" in line for line in lines)


def test_a_stage_that_fails_says_why(copy):
    change(copy.path, {("train", "solve", "folds"): 1})
    with pytest.raises(hounsfield.StageFailed, match=r"train\.solve\.folds is 1; 2 to 20") as failure:
        copy.run()
    assert failure.value.program == "train"
    assert failure.value.code == 2
    assert "ERROR" not in str(failure.value)


def test_what_dvc_refuses_is_said(copy):
    with pytest.raises(hounsfield.ToolFailed, match="'nothing' not found") as failure:
        copy.run(["nothing"])
    assert failure.value.program == "dvc"


def test_an_error_of_the_callers_own_ends_the_run(copy):
    def stop(line):
        if "Running stage 'train'" in line:
            raise KeyboardInterrupt

    change(copy.path, {("train", "seed"): 18})
    with pytest.raises(KeyboardInterrupt):
        copy.run(progress=stop)
    # Nothing holds the study's lock any more, and the run goes on where it stopped. A quick training may have ended.
    copy.run(["train"])
    assert "train" not in copy.run(["train"])


def test_experiments_are_compared_by_validation_scores(copy):
    model = (copy.path / "model/model.json").read_bytes()
    ran = copy.try_out({"train.solve.strengths": [0.001]}, name="weak")
    assert "train" in ran
    assert "ingest" not in ran
    assert (copy.path / "model/model.json").read_bytes() == model
    table = copy.experiments()
    assert set(table["experiment"]) == {"the study", "weak"}
    assert "train.solve.strengths" in table
    assert "train.seed" not in table
    assert table["cv_accuracy"].is_monotonic_decreasing
    # The test split has no part in it.
    assert not [column for column in table if "test" in column]
