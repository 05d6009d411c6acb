//! Whether a probability of 0.8 is right in eight of ten cases.

use dataset::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::predictions::{BinaryScore, Predictions, most_probable};

/// A reliability diagram in numbers: bins of equal width over `[0, 1]`, including empty ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// From the lowest probability to the highest.
    pub bins: Vec<ReliabilityBin>,
    /// Images in all bins.
    pub images: u64,
    /// The expected calibration error (Naeini 2015, Guo 2017): the distance of confidence and
    /// accuracy, averaged over the bins with the weight of their images; 0 to 1. `None` without
    /// images.
    ///
    /// It is biased upwards: with few images a bin's accuracy deviates by chance, so that even a
    /// perfectly calibrated model has some error. Resamples have more of it than the original
    /// images, and a bootstrap interval may lie above the value.
    pub expected_calibration_error: Option<f64>,
}

/// Images with similar probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReliabilityBin {
    /// Probabilities in this bin are above this value; in the first bin also 0.
    pub above: f64,
    /// Probabilities in this bin are at most this value.
    pub up_to: f64,
    /// Images in this bin.
    pub images: u64,
    /// The mean of their probabilities; `None` without images.
    pub mean_confidence: Option<f64>,
    /// The share of them for which the prediction is true; `None` without images.
    pub accuracy: Option<f64>,
}

impl Reliability {
    /// The default number of bins.
    pub const BINS: usize = 10;

    /// How often the most probable class is right, by its probability. With `C` classes that is
    /// never below `1 / C`, so the lowest bins are empty.
    ///
    /// # Panics
    /// When `bins` is 0.
    pub fn of_confidence(predictions: &Predictions, bins: usize) -> Self {
        let confidence = |(actual, row): (ClassIndex, &[f64])| {
            let predicted = most_probable(row).expect("rows hold numbers: checked when gathered");
            BinaryScore::of_checked(row[predicted.0], predicted == actual)
        };
        Self::of(predictions.rows().map(confidence), bins)
    }

    /// How often images are of a class, by the probability of that class. scikit-learn's
    /// `calibration_curve` of one class, with its empty bins.
    ///
    /// # Panics
    /// When `bins` is 0.
    pub fn of_class(predictions: &Predictions, class: ClassIndex, bins: usize) -> Self {
        Self::of(predictions.against_rest(&[class]), bins)
    }

    /// How often images are positive, by their score: a probability. Scores outside `[0, 1]` count
    /// in the nearest bin.
    ///
    /// # Panics
    /// When `bins` is 0.
    pub fn of(scores: impl IntoIterator<Item = BinaryScore>, bins: usize) -> Self {
        assert!(bins > 0, "a table needs bins");
        let edge = |number: usize| number as f64 / bins as f64;
        let inner_edges: Vec<f64> = (1..bins).map(edge).collect();
        let mut sums = vec![BinSums::default(); bins];
        for image in scores {
            let bin = &mut sums[inner_edges.partition_point(|&edge| edge < image.score())];
            bin.images += 1;
            bin.positives += u64::from(image.is_positive());
            bin.confidence += image.score();
        }
        let images = sums.iter().map(|bin| bin.images).sum();
        let distance: f64 = sums.iter().map(BinSums::distance).sum();
        Self {
            bins: sums.iter().enumerate().map(|(n, bin)| bin.row(edge(n), edge(n + 1))).collect(),
            images,
            expected_calibration_error: (images > 0).then(|| distance / images as f64),
        }
    }

    /// The mean over all classes of the expected calibration error of [`Reliability::of_class`]:
    /// the static calibration error (Nixon 2019). Unlike that of the confidence it also sees the
    /// probabilities of classes that were not predicted. `None` without images.
    ///
    /// # Panics
    /// When `bins` is 0.
    pub fn classwise_error(predictions: &Predictions, bins: usize) -> Option<f64> {
        crate::mean_of_defined((0..predictions.classes()).map(|class| {
            Self::of_class(predictions, ClassIndex(class), bins).expected_calibration_error
        }))
    }
}

/// The sums of a bin.
#[derive(Debug, Clone, Copy, Default)]
struct BinSums {
    images: u64,
    positives: u64,
    confidence: f64,
}

impl BinSums {
    /// The distance of confidence and accuracy, times the images.
    fn distance(&self) -> f64 {
        (self.confidence - self.positives as f64).abs()
    }

    fn row(&self, above: f64, up_to: f64) -> ReliabilityBin {
        let mean = |sum: f64| (self.images > 0).then(|| sum / self.images as f64);
        ReliabilityBin {
            above,
            up_to,
            images: self.images,
            mean_confidence: mean(self.confidence),
            accuracy: mean(self.positives as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictions::tests::predictions;
    use crate::testing::assert_some_close;

    fn scores(scores: &[(f64, bool)]) -> Vec<BinaryScore> {
        scores.iter().map(|&(score, positive)| BinaryScore::new(score, positive).unwrap()).collect()
    }

    #[test]
    fn the_error_is_the_distance_in_each_bin_weighted_by_images() {
        let table = Reliability::of(
            scores(&[(0.1, false), (0.3, true), (0.625, true), (0.75, true), (0.875, false)]),
            2,
        );
        let [low, high] = table.bins[..] else { panic!("two bins") };
        assert_eq!((low.above, low.up_to, low.images), (0.0, 0.5, 2));
        assert_some_close(low.mean_confidence, 0.2);
        assert_eq!(low.accuracy, Some(0.5));
        assert_eq!((high.mean_confidence, high.accuracy), (Some(0.75), Some(2.0 / 3.0)));
        let expected = (2.0 * 0.3 + 3.0 * (0.75 - 2.0 / 3.0)) / 5.0;
        assert_some_close(table.expected_calibration_error, expected);
    }

    #[test]
    fn a_probability_on_an_edge_belongs_below_it_and_zero_to_the_first_bin() {
        let table = Reliability::of(
            scores(&[(0.0, false), (0.25, false), (0.5, true), (0.75, true), (1.0, true)]),
            4,
        );
        let images: Vec<_> = table.bins.iter().map(|bin| bin.images).collect();
        assert_eq!(images, [2, 1, 1, 1]);
    }

    #[test]
    fn empty_bins_stay_in_the_table_without_values() {
        let table = Reliability::of(scores(&[(0.95, true)]), 10);
        assert_eq!(table.bins.len(), 10);
        assert_eq!((table.bins[3].mean_confidence, table.bins[3].accuracy), (None, None));
        assert_some_close(table.expected_calibration_error, 0.05);
        let none = Reliability::of([], 3);
        assert_eq!((none.images, none.expected_calibration_error), (0, None));
    }

    #[test]
    fn the_most_probable_class_gives_the_confidence() {
        let table = Reliability::of_confidence(
            &predictions(&[(0, [0.5, 0.25, 0.25]), (2, [0.125, 0.75, 0.125])]),
            2,
        );
        assert_eq!((table.bins[0].accuracy, table.bins[1].accuracy), (Some(1.0), Some(0.0)));
        assert_some_close(table.expected_calibration_error, (0.5 + 0.75) / 2.0);
    }

    #[test]
    fn the_classwise_error_sees_every_class() {
        let two = predictions(&[(0, [0.75, 0.25]), (1, [0.75, 0.25])]);
        assert_some_close(Reliability::classwise_error(&two, 2), 0.25);
        let first = Reliability::of_class(&two, ClassIndex(0), 2);
        assert_eq!((first.bins[1].images, first.bins[1].accuracy), (2, Some(0.5)));
        assert_eq!(Reliability::classwise_error(&predictions::<2>(&[]), 2), None);
    }

    #[test]
    fn a_certain_and_right_model_has_no_error() {
        let right = predictions(&[(0, [1.0, 0.0]), (1, [0.0, 1.0])]);
        let table = Reliability::of_confidence(&right, Reliability::BINS);
        assert_eq!(table.expected_calibration_error, Some(0.0));
        assert_eq!(Reliability::classwise_error(&right, Reliability::BINS), Some(0.0));
    }
}
