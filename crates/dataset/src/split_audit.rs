use std::path::Path;

use artifact::IoError;
use serde::{Deserialize, Serialize};

/// The name of the file with the split audit, in the folder that `validate` writes.
pub const SPLIT_AUDIT_FILE: &str = "split_audit.json";

/// What simple baselines score with the split as it is, and would score with splits that were drawn:
/// how much of a score is the split's doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitAudit {
    /// Decides the draws.
    pub seed: u64,
    /// Splits that were drawn, of each kind.
    pub draws: usize,
    /// Images that were audited.
    pub images: usize,
    /// Images that take part.
    pub of: usize,
    /// Every class, then those that `data.positive` names, where that is another question.
    pub among: Vec<AuditAmong>,
}

/// The audit among some classes: only their images are split, learnt from and scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditAmong {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Whether these are all there are.
    pub is_every_class: bool,
    /// Training images of these in the split as it is; drawn splits have as many, or nearly.
    pub training_images: usize,
    /// Test images of these in the split as it is.
    pub test_images: usize,
    /// Groups (patients, scans, copies) that the images of these are in.
    pub groups: usize,
    /// What each baseline scores.
    pub baselines: Vec<BaselineAudit>,
    /// The same in two sentences.
    pub in_words: String,
}

/// What a baseline scores with each kind of split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineAudit {
    /// Its name, such as `thumbnail_neighbour`.
    pub baseline: String,
    /// What it looks at, for people.
    pub looks_at: String,
    /// Accuracy on the test images of the split as it is.
    pub given: f64,
    /// Accuracy with random splits that keep groups whole.
    pub grouped: DrawnScores,
    /// Accuracy with random splits that know nothing of groups.
    pub random: DrawnScores,
    /// How much better the second kind makes the score than the split as it is.
    pub grouped_flatters_by: Flattery,
    /// How much better the third kind makes the score than the split as it is.
    pub random_flatters_by: Flattery,
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

/// A difference to the score with the split as it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flattery {
    /// The mean of the drawn splits, less the score with the split as it is.
    pub value: f64,
    /// Where it lies with 99 %, if the split as it is were one more draw: lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the split as it is cannot well be one more draw.
    pub is_shown: bool,
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
