//! Measures how good predictions are. Numbers only: no files, no pictures, no network.
//!
//! ```text
//! logits ─ a temperature, fitted             temperature
//!   ↓ softmax
//! probabilities and classes, checked       predictions
//!   ├─ the most probable class              confusion, top_k
//!   ├─ the order of the images              ranking (AUROC, ROC), operating_point
//!   └─ the probabilities themselves        loss, reliability
//! all of them at once                      summary
//! how far each may be off                  proportion (Wilson), bootstrap
//! whether one predictor beats another      bootstrap (paired), mcnemar
//! what constants per class would do        offsets
//! whether two orders agree                 rank_correlation
//! whether later images are of another kind  drift
//! ```
//!
//! Definitions are scikit-learn's wherever it has one, and `tests/reference` compares them with it.
//! An undefined value (such as the AUROC of a class without images) is `None`: never a NaN, which
//! JSON cannot represent, and never a panic. Every sum runs in a fixed order, so the same input
//! gives the same bits for any number of threads.

mod bootstrap;
mod confusion;
mod drift;
mod labelled;
mod loss;
mod mcnemar;
mod offsets;
mod operating_point;
mod predictions;
mod proportion;
mod rank_correlation;
mod ranking;
mod reliability;
mod resample;
mod summary;
mod temperature;
mod top_k;

pub use bootstrap::{Bootstrap, Difference, Estimate, Interval};
pub use confusion::{AverageScores, ClassScores, ConfusionMatrix, NotSquare};
pub use drift::Departure;
pub use labelled::LabelledError;
pub use loss::{brier, brier_binary, cross_entropy, log_loss};
pub use mcnemar::{PairedOutcomes, smallest_passing_gain};
pub use offsets::{ClassOffsets, log_probability};
pub use operating_point::{AtThreshold, NoOperatingPoint, OperatingPoint};
pub use predictions::{BinaryScore, NotFinite, Predictions, most_probable};
pub use proportion::Proportion;
pub use rank_correlation::spearman;
pub use ranking::{
    Ranking, RocPoint, RocPoints, auroc_of_pair, auroc_one_vs_one, auroc_one_vs_rest,
};
pub use reliability::{Reliability, ReliabilityBin};
pub use resample::{Groups, Sample};
pub use summary::{AverageSummary, ClassSummary, Scorer, Summary};
pub use temperature::{
    LabelledLogits, Temperature, TemperatureError, TemperatureFit, TemperatureOutcome,
    softmax_with_temperature,
};
pub use top_k::top_k_accuracy;

/// The confidence of every interval here.
pub const CONFIDENCE: f64 = 0.95;

/// The arithmetic mean in the order given; `None` if there are no values.
fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) =
        values.into_iter().fold((0_u64, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

/// The mean of values that must all be defined: over fewer it would be another quantity.
fn mean_of_defined(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    mean(values.into_iter().collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod testing {
    /// Whether two numbers agree to rounding.
    #[track_caller]
    pub(crate) fn assert_close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "found {found}, expected {expected}");
    }

    /// Whether a number is present and agrees to rounding.
    #[track_caller]
    pub(crate) fn assert_some_close(found: Option<f64>, expected: f64) {
        assert_close(found.expect("a defined value"), expected);
    }
}
