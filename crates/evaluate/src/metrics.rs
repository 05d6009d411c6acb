//! Scores as pure functions of a confusion matrix.
//!
//! The definitions are scikit-learn's `precision_recall_fscore_support` over all classes of the
//! model, with `zero_division=0`: a ratio whose denominator is zero counts as 0, in the class's
//! own row and in the averages. A class that the test split lacks therefore pulls the macro
//! averages down; it has no weight in the weighted ones.

use dataset::ClassIndex;
use serde::Serialize;

/// How many images of each actual class were predicted as each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfusionMatrix {
    classes: usize,
    /// Row-major: a row is an actual class, a column a predicted one.
    counts: Vec<u64>,
}

/// How well one class is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct ClassScores {
    /// Of the images predicted as this class, the share that are.
    pub(crate) precision: f64,
    /// Of the images of this class, the share predicted as such.
    pub(crate) recall: f64,
    /// The harmonic mean of the two, `2·TP / (2·TP + FP + FN)`.
    pub(crate) f1: f64,
    /// Images of this class.
    pub(crate) support: u64,
}

/// Precision, recall and F1, averaged over the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct AverageScores {
    /// Average precision over the classes.
    pub(crate) precision: f64,
    /// Average recall over the classes.
    pub(crate) recall: f64,
    /// Average of the classes' F1, not the F1 of the averages.
    pub(crate) f1: f64,
}

impl ConfusionMatrix {
    /// Counts `(actual, predicted)` pairs.
    ///
    /// # Panics
    /// When a pair names a class that is not below `classes`.
    pub(crate) fn of(
        classes: usize,
        pairs: impl IntoIterator<Item = (ClassIndex, ClassIndex)>,
    ) -> Self {
        let mut counts = vec![0; classes * classes];
        for (actual, predicted) in pairs {
            assert!(actual.0 < classes && predicted.0 < classes, "a class beyond the last");
            counts[actual.0 * classes + predicted.0] += 1;
        }
        Self { classes, counts }
    }

    /// Every class, in index order.
    pub(crate) fn classes(&self) -> impl Iterator<Item = ClassIndex> + use<> {
        (0..self.classes).map(ClassIndex)
    }

    /// Images of class `actual` that were predicted as `predicted`.
    ///
    /// # Panics
    /// When either class is beyond the last.
    pub(crate) fn count(&self, actual: ClassIndex, predicted: ClassIndex) -> u64 {
        assert!(predicted.0 < self.classes, "a class beyond the last");
        self.counts[actual.0 * self.classes + predicted.0]
    }

    /// All images.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Images whose class was predicted.
    pub(crate) fn correct(&self) -> u64 {
        self.classes().map(|class| self.count(class, class)).sum()
    }

    /// The share of images whose class was predicted; 0 where there are no images.
    pub(crate) fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// The scores of one class.
    ///
    /// # Panics
    /// When the class is beyond the last.
    pub(crate) fn class_scores(&self, class: ClassIndex) -> ClassScores {
        let hits = self.count(class, class);
        let support: u64 = self.classes().map(|predicted| self.count(class, predicted)).sum();
        let predicted: u64 = self.classes().map(|actual| self.count(actual, class)).sum();
        ClassScores {
            precision: ratio(hits, predicted),
            recall: ratio(hits, support),
            f1: ratio(2 * hits, predicted + support),
            support,
        }
    }

    /// The plain mean over all classes: each class counts alike, however few images it has.
    pub(crate) fn macro_average(&self) -> AverageScores {
        self.average(|_| 1)
    }

    /// The mean over all classes, each weighted by its support. The recall is the accuracy.
    pub(crate) fn weighted_average(&self) -> AverageScores {
        self.average(|scores| scores.support)
    }

    fn average(&self, weight: impl Fn(&ClassScores) -> u64) -> AverageScores {
        let scores: Vec<_> = self.classes().map(|class| self.class_scores(class)).collect();
        let total: u64 = scores.iter().map(&weight).sum();
        let mean = |value: fn(&ClassScores) -> f64| {
            if total == 0 {
                return 0.0;
            }
            scores.iter().map(|class| value(class) * weight(class) as f64).sum::<f64>()
                / total as f64
        };
        AverageScores {
            precision: mean(|class| class.precision),
            recall: mean(|class| class.recall),
            f1: mean(|class| class.f1),
        }
    }
}

/// The class with the highest probability; of several alike, the first, as `numpy.argmax`.
/// `None` where there is no class, or a probability is not a number.
pub(crate) fn most_probable(probabilities: &[f64]) -> Option<ClassIndex> {
    let mut best: Option<(usize, f64)> = None;
    for (index, &probability) in probabilities.iter().enumerate() {
        if probability.is_nan() {
            return None;
        }
        if best.is_none_or(|(_, highest)| probability > highest) {
            best = Some((index, probability));
        }
    }
    best.map(|(index, _)| ClassIndex(index))
}

/// Cross-entropy of one image, `−ln` of the actual class's probability, from the logits: finite
/// even where that probability is too small for an f64.
///
/// # Panics
/// When `actual` is beyond the last class.
pub(crate) fn cross_entropy(logits: &[f32], actual: ClassIndex) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let distance = |logit: f32| f64::from(logit) - f64::from(largest);
    let sum: f64 = logits.iter().map(|logit| distance(*logit).exp()).sum();
    sum.ln() - distance(logits[actual.0])
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[&[u64]]) -> ConfusionMatrix {
        ConfusionMatrix { classes: rows.len(), counts: rows.concat() }
    }

    #[track_caller]
    fn assert_close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "found {found}, expected {expected}");
    }

    /// Three classes, ten images, worked out by hand.
    fn fixture() -> ConfusionMatrix {
        matrix(&[&[3, 1, 0], &[1, 2, 0], &[0, 1, 2]])
    }

    #[test]
    fn pairs_are_counted_with_actual_classes_as_rows() {
        let pairs = [(0, 0), (0, 1), (1, 0), (0, 1)];
        let matrix = ConfusionMatrix::of(
            2,
            pairs.map(|(actual, predicted)| (ClassIndex(actual), ClassIndex(predicted))),
        );
        assert_eq!(matrix.count(ClassIndex(0), ClassIndex(1)), 2);
        assert_eq!(matrix.count(ClassIndex(1), ClassIndex(0)), 1);
        assert_eq!((matrix.correct(), matrix.total()), (1, 4));
    }

    #[test]
    fn class_scores_are_those_worked_out_by_hand() {
        let scores = fixture().class_scores(ClassIndex(1));
        assert_close(scores.precision, 2.0 / 4.0);
        assert_close(scores.recall, 2.0 / 3.0);
        assert_close(scores.f1, 4.0 / 7.0);
        assert_eq!(scores.support, 3);
        assert_close(fixture().accuracy(), 0.7);
    }

    #[test]
    fn macro_average_counts_classes_alike() {
        let average = fixture().macro_average();
        assert_close(average.precision, (3.0 / 4.0 + 2.0 / 4.0 + 1.0) / 3.0);
        assert_close(average.recall, (3.0 / 4.0 + 2.0 / 3.0 + 2.0 / 3.0) / 3.0);
        assert_close(average.f1, (6.0 / 8.0 + 4.0 / 7.0 + 4.0 / 5.0) / 3.0);
    }

    #[test]
    fn weighted_average_counts_images_alike() {
        let average = fixture().weighted_average();
        assert_close(average.precision, (4.0 * 0.75 + 3.0 * 0.5 + 3.0) / 10.0);
        assert_close(average.recall, fixture().accuracy());
        assert_close(average.f1, (4.0 * 0.75 + 3.0 * 4.0 / 7.0 + 3.0 * 0.8) / 10.0);
    }

    #[test]
    fn a_class_without_test_images_scores_zero_and_counts_in_the_macro_average_only() {
        let absent = matrix(&[&[2, 0, 0], &[0, 2, 0], &[0, 0, 0]]);
        let scores = absent.class_scores(ClassIndex(2));
        let zero = ClassScores { precision: 0.0, recall: 0.0, f1: 0.0, support: 0 };
        assert_eq!(scores, zero);
        assert_close(absent.macro_average().recall, 2.0 / 3.0);
        assert_close(absent.weighted_average().recall, 1.0);
    }

    #[test]
    fn a_class_that_is_never_predicted_has_precision_zero() {
        let ignored = matrix(&[&[3, 0], &[2, 0]]);
        let scores = ignored.class_scores(ClassIndex(1));
        assert_eq!((scores.precision, scores.recall, scores.support), (0.0, 0.0, 2));
        assert_close(ignored.macro_average().precision, 0.3);
    }

    #[test]
    fn a_class_that_is_predicted_but_absent_has_precision_zero() {
        let scores = matrix(&[&[1, 1], &[0, 0]]).class_scores(ClassIndex(1));
        assert_eq!((scores.precision, scores.recall, scores.f1), (0.0, 0.0, 0.0));
    }

    #[test]
    fn one_image_is_enough_and_none_gives_zeros() {
        let one = matrix(&[&[0, 0], &[0, 1]]);
        assert_close(one.accuracy(), 1.0);
        assert_close(one.weighted_average().f1, 1.0);
        let none = matrix(&[&[0, 0], &[0, 0]]);
        assert_close(none.accuracy(), 0.0);
        assert_close(none.weighted_average().f1, 0.0);
        assert_close(none.macro_average().f1, 0.0);
    }

    #[test]
    fn the_first_of_equally_probable_classes_wins() {
        assert_eq!(most_probable(&[0.2, 0.4, 0.4]), Some(ClassIndex(1)));
        assert_eq!(most_probable(&[0.25; 4]), Some(ClassIndex(0)));
    }

    #[test]
    fn a_probability_that_is_not_a_number_predicts_nothing() {
        assert_eq!(most_probable(&[0.9, f64::NAN]), None);
        assert_eq!(most_probable(&[]), None);
    }

    #[test]
    fn cross_entropy_is_the_logarithm_of_the_probability() {
        let logits = [1.0_f32.ln(), 3.0_f32.ln()];
        assert!((cross_entropy(&logits, ClassIndex(0)) - 4.0_f64.ln()).abs() < 1e-6);
        assert!((cross_entropy(&logits, ClassIndex(1)) - (4.0_f64 / 3.0).ln()).abs() < 1e-6);
    }

    #[test]
    fn a_confident_mistake_costs_much_and_not_infinity() {
        assert_close(cross_entropy(&[-1000.0, 1000.0], ClassIndex(0)), 2000.0);
        assert_close(cross_entropy(&[-1000.0, 1000.0], ClassIndex(1)), 0.0);
    }
}
