"""Every metric of the crate `metrics`, compared with scikit-learn on random and degenerate input.

If scikit-learn gives NaN or warns that its answer is a convention, the crate gives null: each
such case is listed here.
"""

import warnings
from dataclasses import dataclass

import numpy
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.exceptions import UndefinedMetricWarning

BINS = 7


@dataclass(frozen=True)
class Case:
    """Images with known classes and their predictions."""

    actual: numpy.ndarray
    probabilities: numpy.ndarray

    @property
    def classes(self):
        return self.probabilities.shape[1]

    @property
    def predicted(self):
        return self.probabilities.argmax(axis=1)

    def support(self, label):
        return int((self.actual == label).sum())


def softmax(logits):
    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def drawn(seed, images, classes, signal=1.0, labels=None):
    """Probabilities that depend on the class."""
    random = numpy.random.default_rng(seed)
    actual = random.choice(labels if labels is not None else classes, size=images)
    logits = random.normal(size=(images, classes)) + signal * numpy.eye(classes)[actual]
    return Case(actual, softmax(logits))


def tied(seed, images, classes):
    """Probabilities in eighths: most images tie with others, and many classes with each other."""
    random = numpy.random.default_rng(seed)
    actual = random.choice(classes, size=images)
    eighths = random.multinomial(8, numpy.full(classes, 1 / classes), size=images)
    return Case(actual, eighths / 8)


def certain(actual, predicted, classes):
    return Case(numpy.array(actual), numpy.eye(classes)[predicted])


CASES = {
    "four_classes": drawn(1, 259, 4),
    "seven_classes": drawn(2, 500, 7, signal=0.3),
    "two_classes": drawn(3, 120, 2),
    "worse_than_chance": drawn(4, 100, 3, signal=-2.0),
    "few_of_one_class": Case(numpy.r_[numpy.zeros(97, int), 1, 2, 2], drawn(5, 100, 3).probabilities),
    "class_absent": drawn(6, 80, 4, labels=[0, 1, 3]),
    "two_classes_absent": drawn(7, 60, 4, labels=[1, 2]),
    "only_one_class": drawn(8, 40, 3, labels=[1]),
    "never_predicted": Case(drawn(9, 50, 3).actual, numpy.c_[drawn(9, 50, 2).probabilities, numpy.zeros(50)]),
    "one_image_right": Case(numpy.array([1]), numpy.array([[0.2, 0.5, 0.3]])),
    "one_image_wrong": Case(numpy.array([0]), numpy.array([[0.2, 0.5, 0.3]])),
    "constant": Case(drawn(10, 60, 4).actual, numpy.full((60, 4), 0.25)),
    "constant_unequal": Case(drawn(11, 60, 3).actual, numpy.tile([0.5, 0.3, 0.2], (60, 1))),
    "ties": tied(12, 300, 4),
    "ties_of_two_classes": tied(13, 200, 2),
    "perfect": certain([0, 1, 2, 3, 3, 0], [0, 1, 2, 3, 3, 0], 4),
    "all_wrong": certain([0, 1, 2, 3, 3, 0], [1, 2, 3, 0, 1, 2], 4),
    "all_predicted_alike": certain([0, 1, 2, 2], [1, 1, 1, 1], 3),
}


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def found(score, case):
    output = score(
        classes=case.classes,
        actual=case.actual,
        probabilities=case.probabilities,
        positive=positive(case),
        bins=BINS,
    )
    return output["probabilities"]


def positive(case):
    """All classes but the last, against it."""
    return list(range(case.classes - 1))


def reference(function, *arguments, **options):
    """scikit-learn's result, or None if it reports that the metric is undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", UndefinedMetricWarning)
        try:
            value = function(*arguments, **options)
        except UndefinedMetricWarning:
            return None
    return None if numpy.isnan(value) else value


def close(value):
    return value if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


def test_confusion_matrix_and_accuracy(found, case):
    labels = range(case.classes)
    expected = metrics.confusion_matrix(case.actual, case.predicted, labels=labels)
    assert found["matrix"] == expected.tolist()
    assert found["accuracy"] == close(metrics.accuracy_score(case.actual, case.predicted))


def test_precision_recall_f1_of_each_class(found, case):
    expected = metrics.precision_recall_fscore_support(
        case.actual, case.predicted, labels=range(case.classes), zero_division=0
    )
    for row, precision, recall, f1, support in zip(found["classes"], *expected, strict=True):
        assert row["scores"]["precision"] == close(precision)
        assert row["scores"]["recall"] == close(recall)
        assert row["scores"]["f1"] == close(f1)
        assert row["scores"]["support"] == support


def test_specificity_is_the_recall_of_the_rest(found, case):
    for label, row in enumerate(found["classes"]):
        rest = case.actual != label
        expected = metrics.recall_score(rest, case.predicted != label, zero_division=0)
        assert row["scores"]["specificity"] == close(expected)


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages(found, case, average):
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        case.actual, case.predicted, labels=range(case.classes), average=average, zero_division=0
    )
    expected = {"precision": precision, "recall": recall, "f1": f1}
    assert found[average] == close(expected)


def test_balanced_accuracy(found, case):
    expected = reference(metrics.balanced_accuracy_score, case.actual, case.predicted)
    assert found["balanced_accuracy"] == close(expected)


def test_cohen_kappa(found, case):
    expected = reference(metrics.cohen_kappa_score, case.actual, case.predicted)
    assert found["cohen_kappa"] == close(expected)


@pytest.mark.filterwarnings("ignore:A single label was found")
def test_matthews_correlation(found, case):
    expected = metrics.matthews_corrcoef(case.actual, case.predicted)
    assert found["matthews_correlation"] == close(expected)


def test_top_k_accuracy(found, case):
    for k, value in enumerate(found["top_k"], start=1):
        if case.classes == 2:
            # scikit-learn accepts one column here, and breaks ties by its own rule for two classes.
            highest_first = numpy.argsort(case.probabilities, axis=1, kind="stable")[:, ::-1]
            expected = (highest_first[:, :k] == case.actual[:, None]).any(axis=1).mean()
        elif k == case.classes:
            expected = 1.0
        else:
            expected = reference(
                metrics.top_k_accuracy_score,
                case.actual,
                case.probabilities,
                k=k,
                labels=range(case.classes),
            )
        assert value == close(expected)


def binary_auroc(case, label):
    return reference(metrics.roc_auc_score, case.actual == label, case.probabilities[:, label])


def test_auroc_of_each_class(found, case):
    expected = [binary_auroc(case, label) for label in range(case.classes)]
    assert [row["auroc"] for row in found["classes"]] == [close(value) for value in expected]


def test_macro_auroc_one_against_the_rest(found, case):
    of_each = [binary_auroc(case, label) for label in range(case.classes)]
    if None in of_each:
        expected = None
    elif case.classes == 2:
        expected = of_each[1]
    else:
        expected = metrics.roc_auc_score(case.actual, case.probabilities, multi_class="ovr", average="macro")
    assert found["auroc_one_vs_rest"] == close(expected)


def pair_auroc(case, a, b):
    """A pair of scikit-learn's `multi_class="ovo"`."""
    either = numpy.isin(case.actual, [a, b])
    actual, probabilities = case.actual[either], case.probabilities[either]
    if len(set(actual)) < 2:
        return None
    of_a = metrics.roc_auc_score(actual == a, probabilities[:, a])
    of_b = metrics.roc_auc_score(actual == b, probabilities[:, b])
    return (of_a + of_b) / 2


def test_auroc_of_each_pair(found, case):
    pairs = [(a, b) for a in range(case.classes) for b in range(a + 1, case.classes)]
    expected = [[a, b, close(pair_auroc(case, a, b))] for a, b in pairs]
    assert found["auroc_of_pairs"] == expected


def test_macro_auroc_one_against_one(found, case):
    if set(case.actual) != set(range(case.classes)):
        expected = None
    elif case.classes == 2:
        expected = pair_auroc(case, 0, 1)
    else:
        expected = metrics.roc_auc_score(case.actual, case.probabilities, multi_class="ovo", average="macro")
    assert found["auroc_one_vs_one"] == close(expected)


def test_auroc_of_several_classes_together(found, case):
    columns = positive(case)
    # Summed from the left, as there: sums that tie in one order may not tie in another.
    score = case.probabilities[:, columns].cumsum(axis=1)[:, -1]
    expected = reference(metrics.roc_auc_score, numpy.isin(case.actual, columns), score)
    assert found["auroc_of_positive"] == close(expected)


def test_average_precision(found, case):
    for label, row in enumerate(found["classes"]):
        if case.support(label):
            expected = metrics.average_precision_score(case.actual == label, case.probabilities[:, label])
        else:
            expected = None  # scikit-learn warns and gives 0
        assert row["average_precision"] == close(expected)


def test_roc_curves(found, case):
    for label, row in enumerate(found["classes"]):
        if case.support(label) in (0, len(case.actual)):
            assert row["roc"] is None
            continue
        false_positives, true_positives, thresholds = metrics.roc_curve(
            case.actual == label, case.probabilities[:, label], drop_intermediate=False
        )
        assert thresholds[0] == numpy.inf
        assert [point["threshold"] for point in row["roc"]] == [None, *thresholds[1:]]
        x = [point["false_positive_rate"] for point in row["roc"]]
        y = [point["true_positive_rate"] for point in row["roc"]]
        assert (x, y) == (close(false_positives.tolist()), close(true_positives.tolist()))


def test_corners_of_roc_curves_draw_the_same_line(found):
    for row in found["classes"]:
        if row["roc"] is None:
            assert row["roc_corners"] is None
            continue
        rates = ("false_positive_rate", "true_positive_rate")
        x, y = numpy.array([[point[rate] for point in row["roc_corners"]] for rate in rates])
        assert metrics.auc(x, y) == close(row["auroc"])
        assert all(corner in row["roc"] for corner in row["roc_corners"])
        turns = numpy.diff(x)[:-1] * numpy.diff(y)[1:] - numpy.diff(x)[1:] * numpy.diff(y)[:-1]
        assert (abs(turns) > 1e-15).all(), "a point in the middle of a line"


def test_log_loss(found, case):
    expected = metrics.log_loss(case.actual, case.probabilities, labels=range(case.classes))
    assert found["log_loss"] == close(expected)


def test_brier(found, case):
    expected = metrics.brier_score_loss(
        case.actual, case.probabilities, labels=range(case.classes), scale_by_half=False
    )
    assert found["brier"] == close(expected)


def test_brier_of_each_class(found, case):
    for label, row in enumerate(found["classes"]):
        expected = metrics.brier_score_loss(case.actual == label, case.probabilities[:, label], pos_label=True)
        assert row["brier"] == close(expected)


def filled(table):
    """The rows of a reliability table with images."""
    return [row for row in table["bins"] if row["images"]]


def check_table(table, positive, score):
    accuracy, confidence = calibration_curve(positive, score, n_bins=BINS, strategy="uniform")
    assert [row["accuracy"] for row in filled(table)] == close(accuracy.tolist())
    assert [row["mean_confidence"] for row in filled(table)] == close(confidence.tolist())
    edges = numpy.linspace(0, 1, BINS + 1)
    assert [row["above"] for row in table["bins"]] == close(edges[:-1].tolist())
    assert [row["up_to"] for row in table["bins"]] == close(edges[1:].tolist())
    assert sum(row["images"] for row in table["bins"]) == table["images"] == len(score)
    weights = [row["images"] / len(score) for row in filled(table)]
    expected = numpy.dot(weights, abs(accuracy - confidence))
    assert table["expected_calibration_error"] == close(expected)
    return expected


def test_reliability_of_the_confidence(found, case):
    right = case.predicted == case.actual
    check_table(found["reliability"], right, case.probabilities.max(axis=1))


def test_reliability_of_each_class(found, case):
    errors = [
        check_table(row["reliability"], case.actual == label, case.probabilities[:, label])
        for label, row in enumerate(found["classes"])
    ]
    assert found["classwise_calibration_error"] == close(numpy.mean(errors))


def test_the_summary_says_the_same(found, case):
    summary = found["summary"]
    for name in ("accuracy", "balanced_accuracy", "cohen_kappa", "matthews_correlation"):
        assert summary[name] == found[name], name
    assert (summary["log_loss"], summary["brier"]) == (found["log_loss"], found["brier"])
    assert summary["top_2_accuracy"] == found["top_k"][1]
    assert summary["auroc"] == found["auroc_one_vs_rest"]
    assert summary["weighted"] == found["weighted"]
    present = [case.support(label) > 0 for label in range(case.classes)]
    undefined = dict.fromkeys(["precision", "recall", "f1"])
    assert summary["macro"] == (found["macro"] if all(present) else undefined)
    for there, short, full in zip(present, summary["classes"], found["classes"], strict=True):
        for name in undefined:
            assert short[name] == (full["scores"][name] if there else None)
        for name in ("auroc", "average_precision"):
            assert short[name] == full[name]
