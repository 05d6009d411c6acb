use std::path::Path;

use artifact::IoError;
use serde::{Deserialize, Serialize};

/// The name of the file with the split audit, in the folder that `validate` writes.
pub const SPLIT_AUDIT_FILE: &str = "split_audit.json";

/// The scores of simple baselines with the given split, and with splits that were drawn: they show
/// how much of a score is due to the split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitAudit {
    /// Seed of the draws.
    pub seed: u64,
    /// Number of splits drawn, of each kind.
    pub draws: usize,
    /// Images that were audited.
    pub images: usize,
    /// Images that are used.
    pub of: usize,
    /// Every class, then the classes that `data.positive` names, if that is a different question.
    pub among: Vec<AuditAmong>,
}

/// The audit among some classes: only their images are split, trained on and scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditAmong {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Whether these are all classes.
    pub is_every_class: bool,
    /// Training images of these classes in the given split; drawn splits have as many, or nearly.
    pub training_images: usize,
    /// Test images of these classes in the given split.
    pub test_images: usize,
    /// Groups (patients, scans, copies) of these images.
    pub groups: usize,
    /// The scores of each baseline.
    pub baselines: Vec<BaselineAudit>,
    /// The same in two sentences.
    pub in_words: String,
}

/// The scores of a baseline with each kind of split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineAudit {
    /// Its name, such as `thumbnail_neighbour`.
    pub baseline: String,
    /// Its input, for people.
    pub looks_at: String,
    /// Accuracy on the test images of the given split.
    pub given: f64,
    /// Accuracy with random splits that keep groups whole.
    pub grouped: DrawnScores,
    /// Accuracy with random splits that ignore groups.
    pub random: DrawnScores,
    /// How much higher the score is with the second kind than with the given split.
    pub grouped_flatters_by: ScoreDifference,
    /// How much higher the score is with the third kind than with the given split.
    pub random_flatters_by: ScoreDifference,
}

/// Scores with splits that were drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnScores {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, of a sample.
    pub deviation: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// Each of them.
    pub draws: Vec<f64>,
}

/// A difference to the score with the given split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreDifference {
    /// The mean of the drawn splits, less the score with the given split.
    pub value: f64,
    /// Lower end of its 99 % range, if the given split were one more draw.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the given split is unlikely to be one more draw.
    pub is_shown: bool,
}

/// Student's t at 99.5 %, by degrees of freedom from 1 on. The last value is used for more degrees
/// too; it is a little too high for them.
const STUDENT_T: [f64; 19] = [
    63.657, 9.924_8, 5.840_9, 4.604_1, 4.032_1, 3.707_4, 3.499_5, 3.355_4, 3.249_8, 3.169_3,
    3.105_8, 3.054_5, 3.012_3, 2.976_8, 2.946_7, 2.920_8, 2.898_2, 2.878_4, 2.860_9,
];

/// Differences below this are not worth reporting, however certain they are.
const LEAST_DIFFERENCE: f64 = 0.02;

impl DrawnScores {
    /// The statistics of two or more scores.
    pub fn of(draws: Vec<f64>) -> Option<Self> {
        if draws.len() < 2 {
            return None;
        }
        let count = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / count;
        let squares: f64 = draws.iter().map(|score| (score - mean).powi(2)).sum();
        Some(Self {
            mean,
            deviation: (squares / (count - 1.0)).sqrt(),
            lowest: draws.iter().copied().fold(f64::INFINITY, f64::min),
            highest: draws.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            draws,
        })
    }

    /// The distance from the mean within which one more draw lies with 99 %: Student's t of these
    /// draws, times their deviation, times √(1 + 1/n).
    fn reach_of_one_more(&self) -> f64 {
        let freedom = self.draws.len() - 1;
        let student = STUDENT_T[freedom.clamp(1, STUDENT_T.len()) - 1];
        student * self.deviation * (1.0 + 1.0 / self.draws.len() as f64).sqrt()
    }
}

impl ScoreDifference {
    /// The difference between drawn splits and the given split, whose score is `given`.
    pub fn of(drawn: &DrawnScores, given: f64) -> Self {
        let value = drawn.mean - given;
        let reach = drawn.reach_of_one_more();
        let (low, high) = (value - reach, value + reach);
        let is_shown = value.abs() >= LEAST_DIFFERENCE && (low > 0.0 || high < 0.0);
        Self { value, low, high, is_shown }
    }
}

impl SplitAudit {
    /// Reads what `validate` wrote.
    ///
    /// # Errors
    /// When the file is missing, or not of this shape.
    pub fn read(path: &Path) -> Result<Self, IoError> {
        artifact::read_json(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_hand_computed() {
        // Mean 0.8, deviation 0.1 of a sample; t of 2 degrees of freedom is 9.925, √(4/3) is 1.1547.
        let drawn = DrawnScores::of(vec![0.7, 0.8, 0.9]).unwrap();
        assert!((drawn.mean - 0.8).abs() < 1e-12 && (drawn.deviation - 0.1).abs() < 1e-12);
        assert_eq!((drawn.lowest, drawn.highest), (0.7, 0.9));
        let found = ScoreDifference::of(&drawn, 0.4);
        assert!(
            (found.value - 0.4).abs() < 1e-12 && (found.low + 0.746_0).abs() < 1e-3,
            "{found:?}"
        );
        assert!(!found.is_shown);
        let sure = DrawnScores::of(vec![1.0; 3]).unwrap();
        assert!(
            !ScoreDifference::of(&sure, 0.99).is_shown && ScoreDifference::of(&sure, 0.9).is_shown
        );
        assert_eq!(DrawnScores::of(vec![0.5]), None);
    }

    #[test]
    fn twenty_draws_reach_as_far_as_students_t_says() {
        let draws = (0..20).map(|number| f64::from(number % 2)).collect();
        let drawn = DrawnScores::of(draws).unwrap();
        // scipy.stats.t.ppf(0.995, 19) * 0.512989 * sqrt(1 + 1/20)
        assert!(
            (drawn.reach_of_one_more() - 1.503_8).abs() < 1e-3,
            "{}",
            drawn.reach_of_one_more()
        );
    }
}
