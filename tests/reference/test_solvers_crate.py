"""The solved heads of the crate `fit`, compared with scikit-learn on the same features."""

import json
import os
import subprocess
from dataclasses import dataclass

import numpy
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


@dataclass(frozen=True)
class Drawn:
    """Images of classes that each form a few clusters: a curved border, as for real features."""

    train: numpy.ndarray
    labels: numpy.ndarray
    test: numpy.ndarray
    test_labels: numpy.ndarray

    @property
    def columns(self):
        return self.train.shape[1]

    @property
    def classes(self):
        return int(self.labels.max()) + 1

    def standardised(self):
        scaler = StandardScaler().fit(self.train.astype(numpy.float64))
        return [scaler.transform(part.astype(numpy.float64)) for part in (self.train, self.test)]


def drawn(seed, images, columns, classes, shares=None, spread=0.7):
    random = numpy.random.default_rng(seed)
    centres = random.normal(size=(classes, 3, 8))
    directions = random.normal(size=(8, columns)) / numpy.sqrt(8)

    def part(images):
        labels = random.choice(classes, size=images, p=shares)
        hidden = centres[labels, random.integers(3, size=images)]
        hidden = hidden + spread * random.normal(size=hidden.shape)
        features = numpy.maximum(hidden @ directions + 0.3 * random.normal(size=(images, columns)), 0)
        return features.astype(numpy.float32), labels

    return Drawn(*part(images), *part(1000))


@pytest.fixture
def fitted(fit_program, tmp_path):
    """The crate's result for drawn images."""

    def run(data, threads=None, **options):
        files = {
            "train.f32": data.train,
            "train.u8": data.labels.astype(numpy.uint8),
            "test.f32": data.test,
            "test.u8": data.test_labels.astype(numpy.uint8),
        }
        for name, values in files.items():
            values.tofile(tmp_path / name)
        described = {
            "columns": data.columns,
            "classes": data.classes,
            "train": {"features": "train.f32", "labels": "train.u8"},
            "test": {"features": "test.f32", "labels": "test.u8"},
            "seed": 1,
            "whole": True,
            **options,
        }
        environment = os.environ | ({"RAYON_NUM_THREADS": str(threads)} if threads else {})
        done = subprocess.run(
            [fit_program("head")],
            input=json.dumps(described),
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"printed {name}"))

    return run


def close(found, expected, tolerance):
    """Equal up to a share of the largest expected value."""
    numpy.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * numpy.abs(expected).max())


SHAPES = [(200, 20, 3), (150, 400, 4), (400, 60, 2), (800, 100, 5)]


def test_features_are_standardised_as_by_standard_scaler(fitted):
    data = drawn(1, 300, 40, 3)
    data.train[:, 7] = 3.0  # without information
    head = fitted(data, kind="linear", strength=1.0)["head"]
    scaler = StandardScaler().fit(data.train.astype(numpy.float64))
    numpy.testing.assert_allclose(head["mean"], scaler.mean_, rtol=1e-6)
    numpy.testing.assert_allclose(head["scale"], 1 / scaler.scale_, rtol=1e-6)


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_linear_head_has_the_coefficients_of_logistic_regression(fitted, shape, strength):
    data = drawn(2, *shape)
    train, test = data.standardised()
    found = fitted(data, kind="linear", strength=strength)
    model = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-9).fit(train, data.labels)
    weights = numpy.reshape(found["head"]["of"]["weights"], (data.classes, data.columns))
    bias = numpy.array(found["head"]["of"]["bias"])
    if data.classes == 2:
        weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
    close(weights, model.coef_, 1e-3)
    close(bias - bias.mean() if data.classes > 2 else bias, model.intercept_, 1e-3)
    assert found["accuracy"] == pytest.approx(model.score(test, data.test_labels), abs=0.003)


@pytest.mark.parametrize("strength", [0.5, 10.0])
@pytest.mark.parametrize("width", [0.5, 4.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_kernel_head_adds_up_the_decision_values_of_svc(fitted, shape, width, strength):
    data = drawn(3, *shape)
    train, test = data.standardised()
    found = fitted(data, kind="kernel", strength=strength, width=width)
    gamma = 1 / (width * data.columns)
    model = SVC(C=strength, gamma=gamma, decision_function_shape="ovo", tol=1e-5).fit(train, data.labels)
    close(found["logits"], pair_sums(model, test, data.classes), 1e-3)
    assert found["head"]["of"]["gamma"] == pytest.approx(gamma, rel=1e-6)


@pytest.mark.parametrize("classes", [3, 4, 5])
def test_a_kernel_head_is_right_as_often_as_svc_which_counts_votes(fitted, classes):
    """Over several draws, because a single one of a thousand images has a standard error of 0.01."""
    behind = []
    for seed in range(3, 9):
        data = drawn(seed, 600, 100, classes)
        train, test = data.standardised()
        accuracy = SVC(C=3.0, gamma=1 / 100).fit(train, data.labels).score(test, data.test_labels)
        behind.append(accuracy - fitted(data, kind="kernel", strength=3.0, width=1.0)["accuracy"])
    assert abs(numpy.mean(behind)) <= 0.01


def pair_sums(model, test, classes):
    """For each class the sum of its decision values against each other one."""
    values = model.decision_function(test)
    if classes == 2:
        values = -values[:, None]  # positive for the second class, while pairs are positive for the first
    sums = numpy.zeros((len(test), classes))
    pairs = [(first, second) for first in range(classes) for second in range(first + 1, classes)]
    for column, (first, second) in zip(values.T, pairs, strict=True):
        sums[:, first] += column
        sums[:, second] -= column
    return sums


def test_the_decision_value_of_a_pair_is_that_of_svc(fitted):
    """Dual coefficients, one by one."""
    data = drawn(4, 120, 30, 2)
    train, _ = data.standardised()
    found = fitted(data, kind="kernel", strength=2.0, width=1.0)["head"]["of"]
    model = SVC(C=2.0, gamma=1 / data.columns, tol=1e-6).fit(train, data.labels)
    vectors = numpy.reshape(found["vectors"], (-1, data.columns))
    coefficients = numpy.reshape(found["coefficients"], (2, -1))
    numpy.testing.assert_array_equal(coefficients[0], -coefficients[1])
    dual = numpy.zeros(len(train))
    for vector, coefficient in zip(vectors, coefficients[1], strict=True):
        dual[numpy.square(train - vector).sum(axis=1).argmin()] = coefficient
    expected = numpy.zeros(len(train))
    expected[model.support_] = model.dual_coef_[0]
    close(dual, expected, 2e-3)
    assert found["bias"][1] == pytest.approx(model.intercept_[0], abs=2e-3)


@pytest.mark.parametrize("kind", ["linear", "kernel"])
def test_weights_of_classes_are_those_of_scikit_learn(fitted, kind):
    data = drawn(5, 300, 40, 3, shares=[0.7, 0.2, 0.1])
    train, test = data.standardised()
    weights = [0.5, 1.0, 3.0]
    named = dict(enumerate(weights))
    if kind == "linear":
        found = fitted(data, kind=kind, strength=1.0, class_weights=weights)
        model = LogisticRegression(solver="newton-cholesky", tol=1e-9, class_weight=named)
        expected = model.fit(train, data.labels).decision_function(test)
    else:
        found = fitted(data, kind=kind, strength=1.0, width=1.0, class_weights=weights)
        model = SVC(gamma=1 / 40, decision_function_shape="ovo", tol=1e-5, class_weight=named)
        expected = pair_sums(model.fit(train, data.labels), test, 3)
    logits = numpy.array(found["logits"])
    close(logits - logits.mean(axis=1, keepdims=True), expected, 1e-3)


def test_columns_that_are_not_read_change_nothing(fitted):
    data = drawn(6, 200, 40, 3)
    part = Drawn(data.train[:, 10:30], data.labels, data.test[:, 10:30], data.test_labels)
    for options in ({"kind": "linear"}, {"kind": "kernel", "width": 1.0}):
        whole = fitted(data, strength=1.0, read=(10, 30), **options)
        alone = fitted(part, strength=1.0, **options)
        close(whole["logits"], alone["logits"], 1e-5)
        scale = numpy.array(whole["head"]["scale"])
        assert (scale[:10] == 0).all()
        assert (scale[30:] == 0).all()


@pytest.mark.parametrize("classes", [3, 5])
def test_landmarks_are_as_good_as_nystroem_and_as_all_images(fitted, classes):
    """More images than an exact machine allows."""
    data = drawn(7, 9000, 40, classes, spread=0.9)
    train, test = data.standardised()
    found = fitted(data, kind="kernel", strength=3.0, width=1.0)
    vectors = numpy.reshape(found["head"]["of"]["vectors"], (-1, data.columns))
    assert abs(len(vectors) - 2048) <= classes
    nystroem = make_pipeline(
        Nystroem(gamma=1 / 40, n_components=2048, random_state=1),
        LogisticRegression(C=3.0, max_iter=1000),
    )
    for model in (SVC(C=3.0, gamma=1 / 40), nystroem):
        accuracy = model.fit(train, data.labels).score(test, data.test_labels)
        assert found["accuracy"] >= accuracy - 0.01


@pytest.mark.parametrize(
    "options",
    [{"kind": "linear", "images": 700}, {"kind": "kernel", "images": 700}, {"kind": "kernel", "images": 9000}],
    ids=["linear", "kernel", "landmarks"],
)
def test_the_number_of_threads_changes_no_bit(fitted, options):
    data = drawn(8, options["images"], 50, 3)
    width = 1.0 if options["kind"] == "kernel" else None
    runs = [fitted(data, threads=threads, kind=options["kind"], strength=1.0, width=width) for threads in (1, 2, 5)]
    for run in runs[1:]:
        assert run["head"] == runs[0]["head"]
        assert run["logits"] == runs[0]["logits"]


def test_a_search_scores_its_candidates_as_scikit_learn_would(fit_program, tmp_path):
    data = drawn(9, 240, 30, 3, spread=0.9)
    groups = numpy.arange(240, dtype=numpy.uint32) // 2
    data.train.tofile(tmp_path / "x")
    data.labels.astype(numpy.uint8).tofile(tmp_path / "y")
    groups.tofile(tmp_path / "g")
    described = {
        "kind": "kernel",
        "columns": 30,
        "classes": 3,
        "features": "x",
        "labels": "y",
        "groups": "g",
        "cuts": {"near": [0, 10], "far": [10, 30]},
        "space": {
            "folds": 5,
            "seed": 1,
            "strengths": [0.5, 5.0],
            "widths": [0.5, 2.0],
            "cuts": [["near"], ["near", "far"]],
        },
    }
    done = subprocess.run(
        [fit_program("search")], input=json.dumps(described), capture_output=True, text=True, check=True, cwd=tmp_path
    )
    found = json.loads(done.stdout)
    folds, search = numpy.array(found["folds"]), found["search"]
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    for candidate in search["candidates"]:
        choice = candidate["choice"]
        columns = slice(0, 10) if choice["cuts"] == ["near"] else slice(0, 30)
        logits = out_of_fold(data, folds, columns, choice["strength"], choice["width"])
        right = logits.argmax(axis=1) == data.labels
        assert candidate["accuracy"] == pytest.approx(right.mean(), abs=1.5 / 240)
        powers = numpy.exp(logits / candidate["temperature"])
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        assert candidate["log_loss"] == pytest.approx(log_loss(data.labels, probabilities), abs=2e-3)
        auroc = roc_auc_score(data.labels, probabilities, multi_class="ovr")
        assert candidate["auroc"] == pytest.approx(auroc, abs=2e-3)
    chosen = search["candidates"][search["chosen"]]["choice"]
    columns = slice(0, 10) if chosen["cuts"] == ["near"] else slice(0, 30)
    close(found["logits"], out_of_fold(data, folds, columns, chosen["strength"], chosen["width"]), 2e-3)


def out_of_fold(data, folds, columns, strength, width):
    features = data.train[:, columns].astype(numpy.float64)
    logits = numpy.zeros((len(features), data.classes))
    for fold in set(folds):
        held = folds == fold
        scaler = StandardScaler().fit(features[~held])
        gamma = 1 / (width * features.shape[1])
        model = SVC(C=strength, gamma=gamma, decision_function_shape="ovo", tol=1e-5)
        model.fit(scaler.transform(features[~held]), data.labels[~held])
        logits[held] = pair_sums(model, scaler.transform(features[held]), data.classes)
    return logits
