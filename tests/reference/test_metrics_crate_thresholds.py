"""Temperatures and operating points of the crate `metrics`, compared with SciPy and scikit-learn."""

import numpy
import pytest
from scipy import optimize, special
from sklearn import metrics

LOWEST, HIGHEST = 0.05, 20.0


def network(seed, images, classes, true_temperature):
    """Logits that are too large by the factor `true_temperature`."""
    random = numpy.random.default_rng(seed)
    honest = random.normal(scale=1.5, size=(images, classes))
    actual = numpy.array([random.choice(classes, p=row) for row in special.softmax(honest, axis=1)])
    return actual, honest * true_temperature


def cross_entropy(logits, actual, temperature):
    log_probabilities = special.log_softmax(logits / temperature, axis=1)
    return -log_probabilities[numpy.arange(len(actual)), actual].mean()


def check_softmax(found, logits):
    for name, temperature in [
        ("softmax", 1.0),
        ("softmax_with_temperature", found["fit"]["temperature"]),
    ]:
        expected = special.softmax(logits / temperature, axis=1)
        assert numpy.array(found[name]) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("true_temperature", [0.1, 0.5, 1.0, 1.7, 4.0, 10.0])
@pytest.mark.parametrize(("images", "classes"), [(72, 4), (400, 2), (1500, 7)])
def test_temperature_has_the_lowest_loss(score, images, classes, true_temperature):
    actual, logits = network(images, images, classes, true_temperature)
    found = score(classes=classes, actual=actual, logits=logits)["logits"]
    fit = found["fit"]
    expected = optimize.minimize_scalar(
        lambda log_temperature: cross_entropy(logits, actual, numpy.exp(log_temperature)),
        bounds=(numpy.log(LOWEST), numpy.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert fit["outcome"] == "minimum"
    # A minimum is flat: the loss determines the temperature to the square root of its own precision.
    assert fit["temperature"] == pytest.approx(numpy.exp(expected.x), rel=1e-6)
    assert fit["loss_after"] <= expected.fun + 1e-14
    assert fit["loss_after"] == pytest.approx(expected.fun, rel=1e-12)
    assert fit["loss_before"] == pytest.approx(cross_entropy(logits, actual, 1.0), rel=1e-12)
    check_softmax(found, logits)


def test_true_temperature_is_found(score):
    actual, logits = network(1, 20_000, 3, 2.5)
    fit = score(classes=3, actual=actual, logits=logits)["logits"]["fit"]
    assert fit["temperature"] == pytest.approx(2.5, rel=0.03)


@pytest.mark.parametrize(
    ("wrong", "outcome", "temperature"),
    [(0, "lowest_allowed", LOWEST), (40, "highest_allowed", HIGHEST)],
)
def test_search_stops_at_its_bounds(score, wrong, outcome, temperature):
    actual, logits = network(2, 40, 3, 1.0)
    actual = logits.argmax(axis=1)
    actual[:wrong] = logits.argmin(axis=1)[:wrong]
    found = score(classes=3, actual=actual, logits=logits)["logits"]
    assert (found["fit"]["outcome"], found["fit"]["temperature"]) == (outcome, temperature)
    check_softmax(found, logits)


def binary(seed, images, prevalence, decimals):
    """Scores that partly separate positives from negatives; few decimals make ties."""
    random = numpy.random.default_rng(seed)
    positive = random.random(images) < prevalence
    return positive, (random.normal(size=images) + 1.2 * positive).round(decimals)


SETS = {
    "smooth": binary(1, 400, 0.3, 12),
    "ties": binary(2, 400, 0.3, 1),
    "many_ties": binary(3, 150, 0.6, 0),
    "few_negatives": binary(4, 40, 0.8, 6),
    "separable": (numpy.arange(30) >= 20, numpy.arange(30) / 7),
    "reversed": (numpy.arange(30) < 20, numpy.arange(30) / 7),
    "constant": (numpy.arange(30) < 20, numpy.full(30, 0.5)),
    "one_of_each": (numpy.array([True, False]), numpy.array([0.25, 0.125])),
}
SPECIFICITIES = [0.0, 0.5, 0.9, 0.95, 1.0]


@pytest.mark.parametrize("name", SETS)
def test_operating_point_is_the_best_of_the_roc_curve(score, name):
    positive, scores = SETS[name]
    found = score(
        classes=2,
        actual=positive.astype(int),
        scores=scores,
        positive=[1],
        specificities=SPECIFICITIES,
    )["scores"]
    false_positives, true_positives, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
    negatives = int((~positive).sum())
    spared = numpy.round((1 - false_positives) * negatives)
    for required, point in zip(SPECIFICITIES, found["operating_points"], strict=True):
        allowed = spared / negatives >= required
        sensitivity = true_positives[allowed].max()
        if sensitivity == 0:
            assert point["reason"] == "out_of_reach"
            assert point["negatives"] == negatives
            assert point["best"] == pytest.approx((spared / negatives)[true_positives > 0].max())
            continue
        specificity = (spared / negatives)[allowed & (true_positives == sensitivity)].max()
        assert point["sensitivity"]["share"] == pytest.approx(sensitivity, rel=1e-12)
        assert point["specificity"]["share"] == pytest.approx(specificity, rel=1e-12)
        # Between two scores: the lowest that is called positive, and the next below.
        called = scores >= point["threshold"]
        matrix = metrics.confusion_matrix(positive, called, labels=[False, True])
        (_, alarms), (missed, hits) = matrix
        assert hits == point["sensitivity"]["hits"]
        assert missed + hits == point["sensitivity"]["of"]
        assert negatives - alarms == point["specificity"]["hits"]
        below = scores[~called].max(initial=-numpy.inf)
        if numpy.isfinite(below):
            middle = (scores[called].min() + below) / 2
            assert point["threshold"] == pytest.approx(middle, rel=1e-12)
        else:
            assert point["threshold"] == scores.min()
        tolerated = max(n for n in range(negatives + 1) if (negatives - n) / negatives >= required)
        assert point["tolerated_false_positives"] == tolerated


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.5, 1.3, 99.0])
def test_sensitivity_and_specificity_at_a_threshold(score, name, threshold):
    positive, scores = SETS[name]
    found = score(classes=2, actual=positive.astype(int), scores=scores, positive=[1], threshold=threshold)["scores"]
    called = scores >= threshold
    at = found["at_threshold"]
    assert at["sensitivity"]["share"] == metrics.recall_score(positive, called)
    assert at["specificity"]["share"] == metrics.recall_score(~positive, ~called)
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(positive, scores), rel=1e-12)
    expected = metrics.average_precision_score(positive, scores)
    assert found["average_precision"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("kind", "reason"), [(1, "no_negatives"), (0, "no_positives")])
def test_without_one_kind_there_is_no_operating_point(score, kind, reason):
    found = score(classes=2, actual=[kind] * 3, scores=[0.1, 0.2, 0.3], positive=[1], specificities=[0.9])["scores"]
    assert found["operating_points"] == [{"reason": reason}]
    assert found["auroc"] is None
    assert found["roc"] is None
