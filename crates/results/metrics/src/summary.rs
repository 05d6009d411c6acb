//! All scores of a predictor at once, with intervals from the same resamples.

use dataset::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Difference, Estimate};
use crate::confusion::{AverageScores, ClassScores, ConfusionMatrix};
use crate::loss::{brier, log_loss};
use crate::mean_of_defined;
use crate::predictions::Predictions;
use crate::ranking::Ranking;
use crate::reliability::Reliability;
use crate::resample::{Groups, Sample};
use crate::top_k::top_k_accuracy;

/// Scores of all classes: numbers (`Summary<Option<f64>>`), intervals (`Summary<Estimate>`) or
/// differences of two predictors (`Summary<Difference>`).
///
/// A class without images has no recall, precision or F1 here, and averages that need it are
/// undefined. [`ConfusionMatrix`] counts these as 0, as scikit-learn does, but then a resample that
/// happens to miss a rare class would lower the interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary<V> {
    /// The share of images whose class was predicted.
    pub accuracy: V,
    /// See [`ConfusionMatrix::balanced_accuracy`].
    pub balanced_accuracy: V,
    /// See [`ConfusionMatrix::cohen_kappa`].
    pub cohen_kappa: V,
    /// See [`ConfusionMatrix::matthews_correlation`].
    pub matthews_correlation: V,
    /// See [`top_k_accuracy`], with k = 2.
    pub top_2_accuracy: V,
    /// See [`auroc_one_vs_rest`](crate::auroc_one_vs_rest).
    pub auroc: V,
    /// The mean of the classes' average precisions.
    pub average_precision: V,
    /// See [`log_loss`], in nats.
    pub log_loss: V,
    /// See [`brier`].
    pub brier: V,
    /// See [`Reliability::of_confidence`], with [`Reliability::BINS`] bins.
    pub expected_calibration_error: V,
    /// Every class has the same weight.
    #[serde(rename = "macro")]
    pub macro_average: AverageSummary<V>,
    /// Every image has the same weight.
    #[serde(rename = "weighted")]
    pub weighted_average: AverageSummary<V>,
    /// Each class against all others, in index order.
    pub classes: Vec<ClassSummary<V>>,
}

/// Averages over the classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AverageSummary<V> {
    /// See [`AverageScores::precision`].
    pub precision: V,
    /// See [`AverageScores::recall`].
    pub recall: V,
    /// See [`AverageScores::f1`].
    pub f1: V,
}

/// One class against all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSummary<V> {
    /// See [`ClassScores::precision`].
    pub precision: V,
    /// See [`ClassScores::recall`]: the sensitivity.
    pub recall: V,
    /// See [`ClassScores::specificity`]; undefined if all images are of this class.
    pub specificity: V,
    /// See [`ClassScores::f1`].
    pub f1: V,
    /// See [`Ranking::auroc`].
    pub auroc: V,
    /// See [`Ranking::average_precision`].
    pub average_precision: V,
}

/// A predictor whose images are sorted once, to be scored on any sample of them.
#[derive(Debug, Clone)]
pub struct Scorer<'a> {
    predictions: &'a Predictions,
    /// Each class against the rest.
    rankings: Vec<Ranking>,
}

impl<'a> Scorer<'a> {
    /// Sorts the images by the probability of each class.
    pub fn new(predictions: &'a Predictions) -> Self {
        let ranking = |class| Ranking::against_rest(predictions, &[ClassIndex(class)]);
        Self { predictions, rankings: (0..predictions.classes()).map(ranking).collect() }
    }

    /// The scores of all images.
    pub fn summary(&self) -> Summary<Option<f64>> {
        self.summary_in(&Sample::everything(self.predictions.len()))
    }

    /// The scores of the images drawn.
    ///
    /// # Panics
    /// When the sample has other images than were predicted.
    pub fn summary_in(&self, sample: &Sample) -> Summary<Option<f64>> {
        let drawn = self.predictions.select(sample.images());
        let matrix = drawn.confusion_matrix();
        let reliability = Reliability::of_confidence(&drawn, Reliability::BINS);
        let class = |(class, ranking): (usize, &Ranking)| {
            class_summary(&matrix, ClassIndex(class), ranking, sample)
        };
        let classes: Vec<_> = self.rankings.iter().enumerate().map(class).collect();
        let complete = matrix.classes().all(|class| matrix.support(class) > 0);
        let some_images = !drawn.is_empty();
        Summary {
            accuracy: some_images.then(|| matrix.accuracy()),
            balanced_accuracy: matrix.balanced_accuracy(),
            cohen_kappa: matrix.cohen_kappa(),
            matthews_correlation: some_images.then(|| matrix.matthews_correlation()),
            top_2_accuracy: top_k_accuracy(&drawn, 2),
            auroc: mean_of_defined(classes.iter().map(|class| class.auroc)),
            average_precision: mean_of_defined(classes.iter().map(|class| class.average_precision)),
            log_loss: log_loss(&drawn),
            brier: brier(&drawn),
            expected_calibration_error: reliability.expected_calibration_error,
            macro_average: averages(complete.then(|| matrix.macro_average())),
            weighted_average: averages(some_images.then(|| matrix.weighted_average())),
            classes,
        }
    }

    /// The scores of all images with their intervals.
    ///
    /// If every resample has the best or the worst score, 1 or 0, the interval is Wilson's for as
    /// many hits, or misses, as there are groups: the bootstrap cannot distinguish a predictor that
    /// is always right from one that was lucky three times.
    ///
    /// # Panics
    /// When there are more or fewer images in `groups` than were predicted.
    pub fn estimates(&self, bootstrap: &Bootstrap, groups: &Groups) -> Summary<Estimate> {
        self.check(groups);
        let estimates = bootstrap.estimates(groups, |sample| self.summary_in(sample).values());
        let estimates = estimates.into_iter().map(|estimate| estimate.not_collapsed(groups));
        self.summary().with(estimates.collect())
    }

    /// How much better this predictor is than `other` on the same images. For losses, Brier score
    /// and calibration error lower values are better.
    ///
    /// # Panics
    /// When the two predict different numbers of images or classes, or `groups` has more or fewer
    /// images.
    pub fn differences(
        &self,
        other: &Scorer<'_>,
        bootstrap: &Bootstrap,
        groups: &Groups,
    ) -> Summary<Difference> {
        self.check(groups);
        other.check(groups);
        let differences = bootstrap.differences(
            groups,
            |sample| self.summary_in(sample).values(),
            |sample| other.summary_in(sample).values(),
        );
        self.summary().with(differences)
    }

    fn check(&self, groups: &Groups) {
        let (grouped, predicted) = (groups.images(), self.predictions.len());
        assert_eq!(grouped, predicted, "other images are grouped than were predicted");
    }
}

impl<V> Summary<V> {
    /// The same scores with each value replaced, in the order in which they are declared.
    pub fn map<W>(self, mut replace: impl FnMut(V) -> W) -> Summary<W> {
        Summary {
            accuracy: replace(self.accuracy),
            balanced_accuracy: replace(self.balanced_accuracy),
            cohen_kappa: replace(self.cohen_kappa),
            matthews_correlation: replace(self.matthews_correlation),
            top_2_accuracy: replace(self.top_2_accuracy),
            auroc: replace(self.auroc),
            average_precision: replace(self.average_precision),
            log_loss: replace(self.log_loss),
            brier: replace(self.brier),
            expected_calibration_error: replace(self.expected_calibration_error),
            macro_average: self.macro_average.map(&mut replace),
            weighted_average: self.weighted_average.map(&mut replace),
            classes: self.classes.into_iter().map(|class| class.map(&mut replace)).collect(),
        }
    }

    /// All values, in the order in which they are declared.
    fn values(self) -> Vec<V> {
        let mut values = Vec::new();
        self.map(|value| values.push(value));
        values
    }

    /// The same scores with these values, in the order of [`Summary::values`].
    fn with<W>(self, values: Vec<W>) -> Summary<W> {
        let mut values = values.into_iter();
        self.map(|_| values.next().expect("as many values as there are scores"))
    }
}

impl<V> AverageSummary<V> {
    fn map<W>(self, mut replace: impl FnMut(V) -> W) -> AverageSummary<W> {
        AverageSummary {
            precision: replace(self.precision),
            recall: replace(self.recall),
            f1: replace(self.f1),
        }
    }
}

impl<V> ClassSummary<V> {
    fn map<W>(self, mut replace: impl FnMut(V) -> W) -> ClassSummary<W> {
        ClassSummary {
            precision: replace(self.precision),
            recall: replace(self.recall),
            specificity: replace(self.specificity),
            f1: replace(self.f1),
            auroc: replace(self.auroc),
            average_precision: replace(self.average_precision),
        }
    }
}

fn class_summary(
    matrix: &ConfusionMatrix,
    class: ClassIndex,
    ranking: &Ranking,
    sample: &Sample,
) -> ClassSummary<Option<f64>> {
    let ClassScores { precision, recall, specificity, f1, support } = matrix.class_scores(class);
    let present = support > 0;
    ClassSummary {
        precision: present.then_some(precision),
        recall: present.then_some(recall),
        specificity: (support < matrix.total()).then_some(specificity),
        f1: present.then_some(f1),
        auroc: ranking.auroc_in(sample),
        average_precision: ranking.average_precision_in(sample),
    }
}

fn averages(scores: Option<AverageScores>) -> AverageSummary<Option<f64>> {
    AverageSummary {
        precision: scores.map(|scores| scores.precision),
        recall: scores.map(|scores| scores.recall),
        f1: scores.map(|scores| scores.f1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auroc_one_vs_rest;
    use crate::predictions::tests::predictions;

    /// Forty images of three classes: the actual class has a probability of 0.2 to 0.8.
    fn forty(shift: usize) -> Predictions {
        let row = |image: usize| {
            let class = image % 3;
            let sure = 0.2 + ((image * 7 + shift) % 13) as f64 / 20.0;
            let mut row = [(1.0 - sure) / 2.0; 3];
            row[class] = sure;
            row[(class + 1) % 3] += 0.05;
            row[(class + 2) % 3] -= 0.05;
            (class, row)
        };
        predictions(&(0..40).map(row).collect::<Vec<_>>())
    }

    #[test]
    fn a_summary_holds_what_each_function_gives() {
        let predictions = forty(0);
        let summary = Scorer::new(&predictions).summary();
        let matrix = predictions.confusion_matrix();
        assert_eq!(summary.accuracy, Some(matrix.accuracy()));
        assert_eq!(summary.auroc, auroc_one_vs_rest(&predictions));
        assert_eq!(summary.log_loss, log_loss(&predictions));
        assert_eq!(summary.brier, brier(&predictions));
        assert_eq!(summary.top_2_accuracy, top_k_accuracy(&predictions, 2));
        assert_eq!(summary.macro_average.f1, Some(matrix.macro_average().f1));
        assert_eq!(summary.weighted_average.recall, summary.accuracy);
        let second = matrix.class_scores(ClassIndex(1));
        assert_eq!(summary.classes[1].specificity, Some(second.specificity));
        assert!(summary.accuracy.is_some_and(|accuracy| accuracy > 0.3 && accuracy < 0.9));
    }

    #[test]
    fn a_sample_is_scored_as_its_images_alone() {
        let predictions = forty(0);
        let scorer = Scorer::new(&predictions);
        for number in 0..10 {
            let sample = Groups::singletons(40).resample(6, number);
            let drawn = predictions.select(sample.images());
            assert_eq!(scorer.summary_in(&sample), Scorer::new(&drawn).summary());
        }
    }

    #[test]
    fn every_estimate_belongs_to_its_score() {
        let predictions = forty(0);
        let scorer = Scorer::new(&predictions);
        let estimates =
            scorer.estimates(&Bootstrap { seed: 1, resamples: 200 }, &Groups::singletons(40));
        assert_eq!(estimates.clone().map(|estimate| estimate.value), scorer.summary());
        let auroc = Bootstrap { seed: 1, resamples: 200 }
            .estimate(&Groups::singletons(40), |sample| scorer.rankings[2].auroc_in(sample));
        assert_eq!(estimates.classes[2].auroc, auroc);
    }

    #[test]
    fn a_difference_is_that_of_the_two_summaries() {
        let (first, second) = (forty(0), forty(5));
        let (first, second) = (Scorer::new(&first), Scorer::new(&second));
        let bootstrap = Bootstrap { seed: 1, resamples: 100 };
        let found = first.differences(&second, &bootstrap, &Groups::singletons(40));
        assert_eq!(found.clone().map(|score| score.first), first.summary());
        assert_eq!(found.map(|score| score.second), second.summary());
    }

    #[test]
    fn a_class_without_images_leaves_its_scores_undefined_and_the_others_alone() {
        let absent = predictions(&[(0, [0.6, 0.3, 0.1]), (1, [0.2, 0.3, 0.5])]);
        let summary = Scorer::new(&absent).summary();
        let last = &summary.classes[2];
        assert_eq!((last.precision, last.recall, last.f1, last.auroc), (None, None, None, None));
        assert_eq!(last.specificity, Some(0.5));
        assert_eq!((summary.macro_average.f1, summary.auroc), (None, None));
        assert_eq!((summary.accuracy, summary.balanced_accuracy), (Some(0.5), Some(0.5)));
        assert_eq!(summary.classes[0].recall, Some(1.0));
    }

    #[test]
    fn without_images_nothing_is_defined() {
        let none = predictions::<3>(&[]);
        assert!(Scorer::new(&none).summary().values().iter().all(Option::is_none));
    }

    #[test]
    fn undefined_scores_are_null_in_json_and_come_back() {
        let one = predictions(&[(0, [0.6, 0.4])]);
        let summary = Scorer::new(&one).summary();
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["auroc"], serde_json::Value::Null);
        assert_eq!(json["classes"][0]["recall"], 1.0);
        assert_eq!(serde_json::from_value::<Summary<Option<f64>>>(json).unwrap(), summary);
    }
}
