//! Losses of probabilities when the truth is known: proper scores of each image, averaged.

use dataset::ClassIndex;

use crate::mean;
use crate::predictions::{BinaryScore, Predictions};

/// The mean of `−ln` of the actual class's probability, in nats; `None` without images.
///
/// As scikit-learn's `log_loss`: probabilities are clipped to `[ε, 1 − ε]` with ε = 2⁻⁵², so one
/// confident mistake costs at most 36.04. [`cross_entropy`] is the loss without clipping.
pub fn log_loss(predictions: &Predictions) -> Option<f64> {
    let loss = |(actual, row): (ClassIndex, &[f64])| {
        -row[actual.0].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    };
    mean(predictions.rows().map(loss))
}

/// The Brier score of all classes, 0 (best) to 2: the squared distance of the probabilities from
/// the truth, summed over the classes, averaged over the images (Brier 1950). `None` without
/// images.
///
/// As scikit-learn's `brier_score_loss` with `scale_by_half=False`; for two classes it is twice
/// [`brier_binary`].
pub fn brier(predictions: &Predictions) -> Option<f64> {
    mean(predictions.rows().map(|(actual, row)| {
        let error = |(class, p): (usize, &f64)| if class == actual.0 { 1.0 - p } else { *p };
        row.iter().enumerate().map(error).map(|error| error * error).sum()
    }))
}

/// The Brier score of one probability, 0 (best) to 1: the mean of `(probability − truth)²`. `None`
/// without images. As scikit-learn's `brier_score_loss` of a positive class.
pub fn brier_binary(scores: &[BinaryScore]) -> Option<f64> {
    mean(scores.iter().map(|image| {
        let error = image.score() - if image.is_positive() { 1.0 } else { 0.0 };
        error * error
    }))
}

/// Cross-entropy of one image, `−ln` of the actual class's probability, from the logits: finite
/// even where that probability is too small for an f64.
///
/// # Panics
/// When `actual` is beyond the last class.
pub fn cross_entropy<L: Copy + Into<f64>>(logits: &[L], actual: ClassIndex) -> f64 {
    let largest = logits.iter().map(|&logit| logit.into()).fold(f64::NEG_INFINITY, f64::max);
    let distance = |logit: L| -> f64 { logit.into() - largest };
    let sum: f64 = logits.iter().map(|&logit| distance(logit).exp()).sum();
    sum.ln() - distance(logits[actual.0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictions::tests::predictions;
    use crate::testing::{assert_close, assert_some_close};

    #[test]
    fn log_loss_is_the_mean_logarithm() {
        let two = predictions(&[(0, [0.5, 0.5]), (1, [0.75, 0.25])]);
        assert_some_close(log_loss(&two), (2.0_f64.ln() + 4.0_f64.ln()) / 2.0);
    }

    #[test]
    fn log_loss_is_clipped_at_certainty() {
        let wrong = predictions(&[(0, [0.0, 1.0])]);
        assert_some_close(log_loss(&wrong), 52.0 * 2.0_f64.ln());
        let right = log_loss(&predictions(&[(0, [1.0, 0.0])])).unwrap();
        assert!(right > 0.0 && right < 3e-16, "{right}");
    }

    #[test]
    fn brier_is_the_squared_distance_from_the_truth() {
        let certain = predictions(&[(0, [1.0, 0.0]), (0, [0.0, 1.0])]);
        assert_eq!(brier(&certain), Some(1.0));
        let unsure = predictions(&[(1, [0.25, 0.5, 0.25])]);
        assert_eq!(brier(&unsure), Some(0.25 + 2.0 * 0.0625));
    }

    #[test]
    fn brier_of_two_classes_is_twice_the_binary_one() {
        let two = predictions(&[(0, [0.5, 0.5]), (1, [0.75, 0.25])]);
        let binary = brier_binary(&two.against_rest(&[ClassIndex(1)]));
        assert_eq!(binary, Some((0.25 + 0.5625) / 2.0));
        assert_some_close(brier(&two), 2.0 * binary.unwrap());
    }

    #[test]
    fn without_images_there_is_no_loss() {
        let none = predictions::<2>(&[]);
        assert_eq!((log_loss(&none), brier(&none), brier_binary(&[])), (None, None, None));
    }

    #[test]
    fn cross_entropy_is_the_logarithm_of_the_probability() {
        let logits = [1.0_f32.ln(), 3.0_f32.ln()];
        assert!((cross_entropy(&logits, ClassIndex(0)) - 4.0_f64.ln()).abs() < 1e-6);
        assert!((cross_entropy(&logits, ClassIndex(1)) - (4.0_f64 / 3.0).ln()).abs() < 1e-6);
    }

    #[test]
    fn a_confident_mistake_costs_much_and_not_infinity() {
        assert_close(cross_entropy(&[-1000.0_f32, 1000.0], ClassIndex(0)), 2000.0);
        assert_close(cross_entropy(&[-1000.0, 1000.0], ClassIndex(1)), 0.0);
    }
}
