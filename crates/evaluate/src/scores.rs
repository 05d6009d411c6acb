//! `scores.json`, and the same for a person to read.

use std::collections::BTreeMap;
use std::fmt;

use dataset::{ClassIndex, ClassIndices};
use serde::Serialize;

use crate::metrics::{AverageScores, ClassScores, ConfusionMatrix};

/// Fewer test images of a class than this say little: at 20 images, half of which are recognised,
/// the 95 % interval of the recall reaches from 0.30 to 0.70 (Wilson 1927).
pub(crate) const FEW_TEST_IMAGES: u64 = 20;

/// How good the model is on the test split. Numbers only, so that `dvc metrics` shows them all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Scores {
    /// Mean cross-entropy.
    pub(crate) loss: f64,
    /// Share of images whose class was predicted.
    pub(crate) accuracy: f64,
    /// Test images.
    pub(crate) images: u64,
    /// Averages in which every class counts alike.
    #[serde(rename = "macro")]
    pub(crate) macro_average: AverageScores,
    /// Averages in which every image counts alike.
    #[serde(rename = "weighted")]
    pub(crate) weighted_average: AverageScores,
    /// Each class by its name.
    pub(crate) classes: BTreeMap<String, ClassScores>,
}

impl Scores {
    /// Gathers the scores of a confusion matrix over `classes`; `loss` is the mean cross-entropy.
    pub(crate) fn new(classes: &ClassIndices, matrix: &ConfusionMatrix, loss: f64) -> Self {
        let named = |(index, name): (usize, &String)| {
            (name.clone(), matrix.class_scores(ClassIndex(index)))
        };
        Self {
            loss,
            accuracy: matrix.accuracy(),
            images: matrix.total(),
            macro_average: matrix.macro_average(),
            weighted_average: matrix.weighted_average(),
            classes: classes.names().iter().enumerate().map(named).collect(),
        }
    }

    /// Classes with fewer than [`FEW_TEST_IMAGES`] test images, and how many they have.
    pub(crate) fn thin_classes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.classes
            .iter()
            .filter(|(_, scores)| scores.support < FEW_TEST_IMAGES)
            .map(|(class, scores)| (class.as_str(), scores.support))
    }
}

/// A table of classes and averages, then accuracy and loss.
impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let averages =
            [("macro average", self.macro_average), ("weighted average", self.weighted_average)];
        let names = self.classes.keys().map(String::as_str).chain(averages.map(|(name, _)| name));
        let width = names.map(|name| name.chars().count()).max().unwrap_or_default();
        writeln!(f, "{:width$}  precision  recall      f1  images", "class")?;
        for (name, class) in &self.classes {
            let ClassScores { precision, recall, f1, support } = class;
            writeln!(f, "{name:width$}  {precision:9.4}  {recall:6.4}  {f1:6.4}  {support:6}")?;
        }
        for (name, AverageScores { precision, recall, f1 }) in averages {
            let images = self.images;
            writeln!(f, "{name:width$}  {precision:9.4}  {recall:6.4}  {f1:6.4}  {images:6}")?;
        }
        write!(f, "\naccuracy {:.4} · loss {:.4}", self.accuracy, self.loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Scores {
        let classes = ClassIndices::of_names(["normal", "cancer"]);
        let pairs = [(0, 0), (0, 0), (0, 1), (1, 1)];
        let pairs = pairs.map(|(actual, predicted)| (ClassIndex(actual), ClassIndex(predicted)));
        Scores::new(&classes, &ConfusionMatrix::of(2, pairs), 0.5)
    }

    #[test]
    fn scores_are_nested_numbers() {
        let json = serde_json::to_value(scores()).unwrap();
        assert_eq!(json["accuracy"], 0.75);
        assert_eq!(json["classes"]["normal"]["precision"], 0.5);
        assert_eq!(json["macro"]["precision"], 0.75);
        assert_eq!(json["weighted"]["recall"], 0.75);
        assert_eq!(json["classes"]["cancer"]["support"], 3);
    }

    #[test]
    fn the_table_lines_up() {
        let text = scores().to_string();
        let expected = "\
class             precision  recall      f1  images
cancer               1.0000  0.6667  0.8000       3
normal               0.5000  1.0000  0.6667       1
macro average        0.7500  0.8333  0.7333       4
weighted average     0.8750  0.7500  0.7667       4

accuracy 0.7500 · loss 0.5000";
        assert_eq!(text, expected);
    }

    #[test]
    fn classes_with_few_images_are_named() {
        let mut scores = scores();
        scores.classes.insert(
            "plenty".into(),
            ClassScores { precision: 1.0, recall: 1.0, f1: 1.0, support: FEW_TEST_IMAGES },
        );
        let thin: Vec<_> = scores.thin_classes().collect();
        assert_eq!(thin, [("cancer", 3), ("normal", 1)]);
    }
}
