//! Scores as pure functions of a confusion matrix.
//!
//! The definitions are scikit-learn's `precision_recall_fscore_support` over all classes of the
//! model, with `zero_division=0`: a ratio whose denominator is zero counts as 0, in the class's own
//! row and in the averages. A class that is missing in the test split therefore lowers the macro
//! averages; it has no weight in the weighted ones.

use dataset::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::mean;

/// How many images of each actual class were predicted as each class. Serialised as rows of
/// counts: a row is an actual class, a column a predicted one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Vec<u64>>", try_from = "Vec<Vec<u64>>")]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row-major: a row is an actual class, a column a predicted one.
    counts: Vec<u64>,
}

/// How well one class is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassScores {
    /// Of the images predicted as this class, the share that are.
    pub precision: f64,
    /// Of the images of this class, the share predicted as such.
    pub recall: f64,
    /// Of the images of other classes, the share not predicted as this one.
    pub specificity: f64,
    /// The harmonic mean of precision and recall, `2·TP / (2·TP + FP + FN)`.
    pub f1: f64,
    /// Images of this class.
    pub support: u64,
}

/// Precision, recall and F1, averaged over the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AverageScores {
    /// Average precision over the classes.
    pub precision: f64,
    /// Average recall over the classes.
    pub recall: f64,
    /// Average of the classes' F1, not the F1 of the averages.
    pub f1: f64,
}

impl ConfusionMatrix {
    /// Counts `(actual, predicted)` pairs.
    ///
    /// # Panics
    /// When a pair names a class that is not below `classes`.
    pub fn of(classes: usize, pairs: impl IntoIterator<Item = (ClassIndex, ClassIndex)>) -> Self {
        let mut counts = vec![0; classes * classes];
        for (actual, predicted) in pairs {
            assert!(actual.0 < classes && predicted.0 < classes, "a class beyond the last");
            counts[actual.0 * classes + predicted.0] += 1;
        }
        Self { classes, counts }
    }

    /// Every class, in index order.
    pub fn classes(&self) -> impl Iterator<Item = ClassIndex> + use<> {
        (0..self.classes).map(ClassIndex)
    }

    /// Images of class `actual` that were predicted as `predicted`.
    ///
    /// # Panics
    /// When either class is beyond the last.
    pub fn count(&self, actual: ClassIndex, predicted: ClassIndex) -> u64 {
        assert!(predicted.0 < self.classes, "a class beyond the last");
        self.counts[actual.0 * self.classes + predicted.0]
    }

    /// All images.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Images whose class was predicted.
    pub fn correct(&self) -> u64 {
        self.classes().map(|class| self.count(class, class)).sum()
    }

    /// The share of images whose class was predicted; 0 if there are no images.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// Images of a class.
    ///
    /// # Panics
    /// When the class is beyond the last.
    pub fn support(&self, actual: ClassIndex) -> u64 {
        self.classes().map(|predicted| self.count(actual, predicted)).sum()
    }

    /// Images predicted as a class.
    ///
    /// # Panics
    /// When the class is beyond the last.
    pub fn predicted(&self, predicted: ClassIndex) -> u64 {
        self.classes().map(|actual| self.count(actual, predicted)).sum()
    }

    /// The scores of one class.
    ///
    /// # Panics
    /// When the class is beyond the last.
    pub fn class_scores(&self, class: ClassIndex) -> ClassScores {
        let hits = self.count(class, class);
        let (support, predicted) = (self.support(class), self.predicted(class));
        let total = self.total();
        ClassScores {
            precision: ratio(hits, predicted),
            recall: ratio(hits, support),
            specificity: ratio(total - support - (predicted - hits), total - support),
            f1: ratio(2 * hits, predicted + support),
            support,
        }
    }

    /// The plain mean over all classes: each class has the same weight, however few images it has.
    pub fn macro_average(&self) -> AverageScores {
        self.average(|_| 1)
    }

    /// The mean over all classes, each weighted by its support. The recall is the accuracy.
    pub fn weighted_average(&self) -> AverageScores {
        self.average(|scores| scores.support)
    }

    /// The mean recall of the classes that have images: what the accuracy would be if these classes
    /// were equally frequent. `None` without images. scikit-learn's `balanced_accuracy_score`.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let present = self.classes().filter(|&class| self.support(class) > 0);
        mean(present.map(|class| ratio(self.count(class, class), self.support(class))))
    }

    /// Cohen's kappa (1960), −1 to 1: the agreement beyond the agreement that two independent
    /// raters would reach with these class frequencies. `None` if they would agree on every image:
    /// without images, or when all are of one class and predicted as it. scikit-learn's
    /// `cohen_kappa_score`, which gives NaN there.
    pub fn cohen_kappa(&self) -> Option<f64> {
        let Agreement { correct, total, by_chance, .. } = self.agreement();
        // Both sides times total², so that only the last step rounds.
        let possible = total * total - by_chance;
        (possible > 0).then(|| (correct * total - by_chance) as f64 / possible as f64)
    }

    /// Matthews' correlation of actual and predicted classes, −1 to 1, for any number of classes
    /// (Gorodkin 2004). 0 where it is undefined, as scikit-learn's `matthews_corrcoef`: when all
    /// images are of one class, or predicted as one.
    pub fn matthews_correlation(&self) -> f64 {
        let Agreement { correct, total, by_chance, actual_squares, predicted_squares } =
            self.agreement();
        let covariance = (correct * total - by_chance) as f64;
        let spread = |squares: i128| (total * total - squares) as f64;
        let scale = (spread(actual_squares) * spread(predicted_squares)).sqrt();
        if scale == 0.0 { 0.0 } else { covariance / scale }
    }

    fn agreement(&self) -> Agreement {
        let sum_of_products = |factors: &dyn Fn(ClassIndex) -> (u64, u64)| {
            self.classes().map(factors).map(|(a, b)| i128::from(a) * i128::from(b)).sum()
        };
        Agreement {
            correct: self.correct().into(),
            total: self.total().into(),
            by_chance: sum_of_products(&|class| (self.support(class), self.predicted(class))),
            actual_squares: sum_of_products(&|class| (self.support(class), self.support(class))),
            predicted_squares: sum_of_products(&|class| {
                (self.predicted(class), self.predicted(class))
            }),
        }
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

/// The whole numbers that kappa and Matthews' correlation are computed from.
struct Agreement {
    correct: i128,
    total: i128,
    /// Σ over classes of support × predicted: `total²` times the agreement expected by chance.
    by_chance: i128,
    /// Σ support².
    actual_squares: i128,
    /// Σ predicted².
    predicted_squares: i128,
}

/// Rows that are not a confusion matrix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row} of the confusion matrix has {found} counts; expected {classes}, one per row")]
pub struct NotSquare {
    /// The row, from 0.
    pub row: usize,
    /// Counts in it.
    pub found: usize,
    /// Rows.
    pub classes: usize,
}

impl From<ConfusionMatrix> for Vec<Vec<u64>> {
    fn from(matrix: ConfusionMatrix) -> Self {
        // Without classes there are no rows; chunks of 0 would panic.
        matrix.counts.chunks_exact(matrix.classes.max(1)).map(<[u64]>::to_vec).collect()
    }
}

impl TryFrom<Vec<Vec<u64>>> for ConfusionMatrix {
    type Error = NotSquare;

    fn try_from(rows: Vec<Vec<u64>>) -> Result<Self, NotSquare> {
        let classes = rows.len();
        match rows.iter().position(|row| row.len() != classes) {
            Some(row) => Err(NotSquare { row, found: rows[row].len(), classes }),
            None => Ok(Self { classes, counts: rows.concat() }),
        }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_close;

    fn matrix(rows: &[&[u64]]) -> ConfusionMatrix {
        ConfusionMatrix { classes: rows.len(), counts: rows.concat() }
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
        assert_close(scores.specificity, 5.0 / 7.0);
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
        let zero =
            ClassScores { precision: 0.0, recall: 0.0, specificity: 1.0, f1: 0.0, support: 0 };
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
    fn a_class_without_others_beside_it_has_specificity_zero() {
        assert_close(matrix(&[&[3, 1], &[0, 0]]).class_scores(ClassIndex(0)).specificity, 0.0);
    }

    #[test]
    fn balanced_accuracy_is_the_mean_recall_of_the_classes_present() {
        let mean = (3.0 / 4.0 + 2.0 / 3.0 + 2.0 / 3.0) / 3.0;
        assert_close(fixture().balanced_accuracy().unwrap(), mean);
        let absent = matrix(&[&[1, 1, 0], &[0, 2, 0], &[0, 0, 0]]);
        assert_eq!(absent.balanced_accuracy(), Some(0.75));
        assert_eq!(matrix(&[&[0]]).balanced_accuracy(), None);
    }

    #[test]
    fn kappa_and_matthews_are_those_worked_out_by_hand() {
        // Supports 4, 3, 3; predicted 4, 4, 2: chance 4·4 + 3·4 + 3·2 = 34 of 100.
        assert_close(fixture().cohen_kappa().unwrap(), (70.0 - 34.0) / (100.0 - 34.0));
        let scale = ((100.0 - 34.0) * (100.0 - 36.0_f64)).sqrt();
        assert_close(fixture().matthews_correlation(), 36.0 / scale);
    }

    #[test]
    fn agreement_is_perfect_or_perfectly_reversed() {
        let right = matrix(&[&[2, 0], &[0, 3]]);
        assert_eq!((right.cohen_kappa(), right.matthews_correlation()), (Some(1.0), 1.0));
        let reversed = matrix(&[&[0, 2], &[2, 0]]);
        assert_eq!((reversed.cohen_kappa(), reversed.matthews_correlation()), (Some(-1.0), -1.0));
    }

    #[test]
    fn agreement_beyond_chance_is_undefined_where_chance_alone_agrees() {
        let one_class = matrix(&[&[4, 0], &[0, 0]]);
        assert_eq!((one_class.cohen_kappa(), one_class.matthews_correlation()), (None, 0.0));
        let always_first = matrix(&[&[4, 0], &[3, 0]]);
        assert_eq!(
            (always_first.cohen_kappa(), always_first.matthews_correlation()),
            (Some(0.0), 0.0)
        );
        let none = matrix(&[&[0, 0], &[0, 0]]);
        assert_eq!((none.cohen_kappa(), none.matthews_correlation()), (None, 0.0));
    }

    #[test]
    fn a_matrix_is_written_as_its_rows_and_read_back() {
        let json = serde_json::to_string(&fixture()).unwrap();
        assert_eq!(json, "[[3,1,0],[1,2,0],[0,1,2]]");
        assert_eq!(serde_json::from_str::<ConfusionMatrix>(&json).unwrap(), fixture());
        let error = serde_json::from_str::<ConfusionMatrix>("[[1,2],[3]]").unwrap_err();
        assert!(error.to_string().starts_with("row 1 of the confusion matrix has 1 counts"));
    }
}
