"""Intervals and tests of the crate `metrics`, compared with SciPy."""

import itertools

import numpy
import pytest
from scipy import stats
from sklearn import metrics

IMAGES = 259
CLASSES = 4
RESAMPLES = 2000


def predictions(random, actual, signal):
    logits = random.normal(size=(len(actual), CLASSES)) + signal * numpy.eye(CLASSES)[actual]
    return numpy.exp(logits) / numpy.exp(logits).sum(axis=1, keepdims=True)


RANDOM = numpy.random.default_rng(7)
PATIENTS = RANDOM.integers(60, size=IMAGES)
# All images of a patient are of one class, and similarly hard.
ACTUAL = RANDOM.choice(CLASSES, size=60)[PATIENTS]
BETTER = predictions(RANDOM, ACTUAL, RANDOM.normal(1.6, 1.0, size=60)[PATIENTS, None])
WORSE = predictions(RANDOM, ACTUAL, 1.0)


@pytest.fixture(scope="module")
def found(score):
    def run(groups, **values):
        return score(
            classes=CLASSES,
            actual=ACTUAL,
            probabilities=BETTER,
            other_probabilities=WORSE,
            bootstrap={"seed": 3, "resamples": RESAMPLES},
            groups=groups,
            **values,
        )

    return run


@pytest.fixture(scope="module")
def by_image(found):
    return found(numpy.arange(IMAGES))


@pytest.fixture(scope="module")
def by_patient(found):
    return found(PATIENTS)


def accuracy(probabilities, images):
    return (probabilities[images].argmax(axis=1) == ACTUAL[images]).mean()


def log_loss(probabilities, images):
    return -numpy.log(probabilities[images, ACTUAL[images]]).mean()


def auroc(probabilities, images):
    """AUROC of class 2 against the rest, by ranks: faster than scikit-learn's."""
    positive = ACTUAL[images] == 2
    ranks = stats.rankdata(probabilities[images, 2])[positive]
    count = positive.sum()
    return (ranks.sum() - count * (count + 1) / 2) / (count * (len(images) - count))


SCORES = {
    "accuracy": (accuracy, lambda summary: summary["accuracy"]),
    "log_loss": (log_loss, lambda summary: summary["log_loss"]),
    "auroc": (auroc, lambda summary: summary["classes"][2]["auroc"]),
}


def scipy_bootstrap(units, statistic):
    return stats.bootstrap(
        (units,),
        statistic,
        n_resamples=RESAMPLES,
        vectorized=False,
        method="percentile",
        rng=numpy.random.default_rng(5),
    )


def images_of(patients):
    return numpy.concatenate([numpy.flatnonzero(patient == PATIENTS) for patient in patients])


def assert_alike(interval, expected):
    """Ends agree within the precision of two sets of 2,000 resamples: the standard error of a 2.5th percentile is 0.06
    standard deviations of the score, that of a difference of two 0.085."""
    tolerance = 4 * 0.085 * expected.standard_error
    ends = (interval["low"], interval["high"])
    assert ends == pytest.approx(tuple(expected.confidence_interval), abs=tolerance)


@pytest.mark.parametrize("name", SCORES)
def test_interval_over_images(by_image, name):
    statistic, pick = SCORES[name]
    found = pick(by_image["estimates"])
    assert found["value"] == pytest.approx(statistic(BETTER, numpy.arange(IMAGES)), rel=1e-9)
    expected = scipy_bootstrap(numpy.arange(IMAGES), lambda images: statistic(BETTER, images))
    assert_alike(found["interval"], expected)
    assert found["resamples"] == RESAMPLES


@pytest.mark.parametrize("name", SCORES)
def test_interval_over_patients(by_patient, by_image, name):
    statistic, pick = SCORES[name]
    found = pick(by_patient["estimates"])["interval"]
    expected = scipy_bootstrap(numpy.unique(PATIENTS), lambda patients: statistic(BETTER, images_of(patients)))
    assert_alike(found, expected)
    over_images = pick(by_image["estimates"])["interval"]
    wider = (found["high"] - found["low"]) / (over_images["high"] - over_images["low"])
    assert wider > 1.15, "images of one patient are alike"


@pytest.mark.parametrize("name", SCORES)
def test_interval_of_a_difference(by_patient, name):
    statistic, pick = SCORES[name]

    def difference(patients):
        images = images_of(patients)
        return statistic(BETTER, images) - statistic(WORSE, images)

    found = pick(by_patient["comparison"]["differences"])
    assert found["difference"]["value"] == pytest.approx(found["first"] - found["second"])
    expected = scipy_bootstrap(numpy.unique(PATIENTS), difference)
    assert_alike(found["difference"]["interval"], expected)
    resampled = expected.bootstrap_distribution
    share = 2 * min((resampled <= 0).mean(), (resampled >= 0).mean())
    assert found["p_value"] == pytest.approx(share, abs=0.03)


def test_threads_change_nothing(found, by_patient):
    assert found(PATIENTS, threads=1) == found(PATIENTS, threads=4) == by_patient


def test_scores_that_are_undefined_on_resamples_say_so(score):
    # Of twelve images one is of class 1: a resample lacks it with probability (11 / 12)^12 = 0.352.
    actual = [0] * 11 + [1]
    probabilities = [[0.7, 0.3]] * 10 + [[0.4, 0.6], [0.2, 0.8]]
    found = score(
        classes=2,
        actual=actual,
        probabilities=probabilities,
        bootstrap={"seed": 1, "resamples": RESAMPLES},
    )["estimates"]
    auroc = found["classes"][1]["auroc"]
    assert auroc["resamples"] / RESAMPLES == pytest.approx(1 - (11 / 12) ** 12, abs=0.04)
    # All resamples have 1: statsmodels.stats.proportion.proportion_confint(12, 12, method="wilson").
    assert auroc["interval"] == {"low": pytest.approx(0.757506, abs=1e-6), "high": 1.0}
    assert found["accuracy"]["resamples"] == RESAMPLES


def outcomes(score, only_first, only_second, both):
    """The result if the given numbers of images are right for one predictor only, or for both."""
    right, wrong = [0.9, 0.1], [0.1, 0.9]
    first = [right] * only_first + [wrong] * only_second + [right] * both
    second = [wrong] * only_first + [right] * only_second + [right] * both
    return score(
        classes=2,
        actual=[0] * len(first),
        probabilities=first,
        other_probabilities=second,
    )["comparison"]


@pytest.mark.parametrize(
    ("only_first", "only_second"),
    [(0, 0), (1, 0), (0, 5), (6, 0), (3, 3), (4, 5), (2, 9), (31, 17), (180, 240), (1400, 1250)],
)
def test_mcnemar_is_an_exact_binomial_test(score, only_first, only_second):
    found = outcomes(score, only_first, only_second, both=3)
    assert found["outcomes"]["only_first_right"] == only_first
    assert found["outcomes"]["only_second_right"] == only_second
    discordant = only_first + only_second
    expected = stats.binomtest(only_first, discordant).pvalue if discordant else 1.0
    assert found["p_value"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("images", [4, 5, 6, 7, 30])
def test_no_smaller_gain_passes(score, images):
    gains = [
        more - fewer
        for fewer, more in itertools.combinations(range(images + 1), 2)
        if fewer + more <= images and stats.binomtest(more, fewer + more).pvalue <= 0.05
    ]
    found = outcomes(score, images, 0, both=0)["smallest_passing_gain"]
    assert found == (min(gains) if gains else None)


@pytest.mark.parametrize(("hits", "of"), [(0, 1), (1, 1), (0, 40), (40, 40), (1, 40), (27, 30), (500, 777)])
def test_wilson_interval(score, hits, of):
    found = score(classes=2, actual=[1] * hits + [0] * (of - hits), scores=[0.5] * of, positive=[1])["scores"][
        "prevalence"
    ]
    expected = stats.binomtest(hits, of).proportion_ci(method="wilson")
    assert (found["hits"], found["of"], found["share"]) == (hits, of, hits / of)
    assert (found["low"], found["high"]) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-12)


def test_the_reference_auroc_is_that_of_scikit_learn():
    expected = metrics.roc_auc_score(ACTUAL == 2, BETTER[:, 2])
    assert auroc(BETTER, numpy.arange(IMAGES)) == pytest.approx(expected)
