"""The output of `evaluate`, compared with scikit-learn."""

import csv
import json

import numpy
import pytest
from sklearn import metrics


@pytest.fixture(scope="module")
def predictions(evaluation):
    with (evaluation / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows, "predictions.csv lists no image"
    return rows


@pytest.fixture(scope="module")
def scores(evaluation):
    return json.loads((evaluation / "scores.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def classes(predictions):
    return [column.removeprefix("prob_") for column in predictions[0] if column.startswith("prob_")]


@pytest.fixture(scope="module")
def labels(predictions):
    return [row["actual"] for row in predictions], [row["predicted"] for row in predictions]


@pytest.fixture(scope="module")
def probabilities(predictions, classes):
    return numpy.array([[float(row[f"prob_{name}"]) for name in classes] for row in predictions])


def test_accuracy(scores, labels):
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(*labels), abs=1e-12)
    assert scores["images"] == len(labels[0])


def test_loss(scores, labels, classes, probabilities):
    columns = [classes.index(actual) for actual in labels[0]]
    of_actual = probabilities[numpy.arange(len(columns)), columns]
    if of_actual.min() > numpy.finfo(probabilities.dtype).eps:
        # log_loss needs its columns in sorted order, which is the order of the classes.
        assert classes == sorted(classes)
        expected = metrics.log_loss(labels[0], probabilities, labels=classes)
    else:
        # scikit-learn raises a probability of nearly 0 to 2e-16; here the mistake counts in full.
        expected = -numpy.log(of_actual).mean()
    assert scores["loss"] == pytest.approx(expected, rel=1e-9)


def test_scores_of_each_class(scores, labels, classes):
    expected = metrics.precision_recall_fscore_support(*labels, labels=classes, zero_division=0)
    assert list(scores["classes"]) == classes
    for name, precision, recall, f1, support in zip(classes, *expected, strict=True):
        found = scores["classes"][name]
        assert found["precision"] == pytest.approx(precision, abs=1e-12)
        assert found["recall"] == pytest.approx(recall, abs=1e-12)
        assert found["f1"] == pytest.approx(f1, abs=1e-12)
        assert found["support"] == support


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages(scores, labels, classes, average):
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        *labels, labels=classes, average=average, zero_division=0
    )
    expected = {"precision": precision, "recall": recall, "f1": f1}
    assert scores[average] == pytest.approx(expected, abs=1e-12)


def test_confusion_matrix(evaluation, labels, classes):
    with (evaluation / "confusion_matrix.csv").open(newline="", encoding="utf-8") as file:
        found = {(row["actual"], row["predicted"]): int(row["count"]) for row in csv.DictReader(file)}
    expected = metrics.confusion_matrix(*labels, labels=classes)
    for i, actual in enumerate(classes):
        for j, predicted in enumerate(classes):
            assert found[actual, predicted] == expected[i, j]
    assert len(found) == len(classes) ** 2


def test_prediction_is_the_most_probable_class(predictions, classes, probabilities):
    assert numpy.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    most_probable = zip(predictions, probabilities.argmax(axis=1), probabilities.max(axis=1), strict=True)
    for row, best, confidence in most_probable:
        assert row["predicted"] == classes[best]
        assert float(row["confidence"]) == confidence
        assert row["correct"] == str(row["actual"] == row["predicted"]).lower()
