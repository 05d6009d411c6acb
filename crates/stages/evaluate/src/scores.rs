//! `scores.json`, and the same for people.

use std::collections::BTreeMap;
use std::fmt;

use artifact::Digest;
use classifier::calibration::{OperatingPointOutcome, PositiveClasses};
use dataset::{ClassIndex, ClassIndices};
use metrics::{
    AtThreshold, AverageSummary, Bootstrap, ClassSummary, Estimate, Interval, Predictions,
    Proportion, Ranking, Scorer, Summary, top_k_accuracy,
};
use scoring::TestSet;
use serde::Serialize;

use crate::explanations::Explanations;
use crate::worth::Worth;

/// With fewer test images of a class than this, scores are imprecise: at 20 images, half of which
/// are recognised, the 95 % interval of the recall reaches from 0.30 to 0.70 (Wilson 1927).
pub(crate) const FEW_TEST_IMAGES: u64 = 20;

/// The model's scores on the test split, and their worth. Undefined values are null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Scores {
    /// The worth of the score. It comes first, because the rest may be misleading without it.
    pub(crate) worth: Worth,
    /// The digest of the weights that were scored.
    pub(crate) model: Digest,
    /// The digest of the manifest of the images; none for another folder.
    pub(crate) data: Option<Digest>,
    /// Mean cross-entropy of the calibrated probabilities.
    pub(crate) loss: Option<f64>,
    /// Share of images whose class was predicted.
    pub(crate) accuracy: Option<f64>,
    /// Test images.
    pub(crate) images: u64,
    /// The divisor of the logits.
    pub(crate) temperature: f64,
    /// Mean recall: every class has the same weight.
    pub(crate) balanced_accuracy: Option<f64>,
    /// Agreement beyond chance, Cohen's kappa.
    pub(crate) cohen_kappa: Option<f64>,
    /// Matthews' correlation.
    pub(crate) matthews_correlation: Option<f64>,
    /// One-against-rest AUROC, mean over the classes.
    pub(crate) auroc: Option<f64>,
    /// One-against-rest average precision, mean over the classes.
    pub(crate) average_precision: Option<f64>,
    /// Squared error of the probabilities, summed over the classes.
    pub(crate) brier: Option<f64>,
    /// How far confidence and accuracy are apart, on average.
    pub(crate) expected_calibration_error: Option<f64>,
    /// Share of images whose class is among the k most probable, by k.
    pub(crate) top_k_accuracy: BTreeMap<usize, Option<f64>>,
    /// Averages with equal weight for every class.
    #[serde(rename = "macro")]
    pub(crate) macro_average: AverageSummary<Option<f64>>,
    /// Averages with equal weight for every image.
    #[serde(rename = "weighted")]
    pub(crate) weighted_average: AverageSummary<Option<f64>>,
    /// Each class by its name.
    pub(crate) classes: BTreeMap<String, ClassScores>,
    /// The finding of interest, against everything else; none if `data.positive` is empty.
    pub(crate) positive: Option<PositiveScores>,
    /// 95 % intervals of the above.
    pub(crate) intervals: Intervals,
    /// Whether the maps of where the model looked can be trusted.
    pub(crate) explanations: Explanations,
}

/// The scores of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ClassScores {
    #[serde(flatten)]
    pub(crate) scores: ClassSummary<Option<f64>>,
    /// Test images of the class.
    pub(crate) support: u64,
    /// `too few` if there are fewer than [`FEW_TEST_IMAGES`].
    pub(crate) note: Option<&'static str>,
}

/// The positive classes together, against all others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PositiveScores {
    /// Their names.
    pub(crate) classes: Vec<String>,
    /// AUROC of the sum of their probabilities.
    pub(crate) auroc: Option<f64>,
    /// Its average precision.
    pub(crate) average_precision: Option<f64>,
    /// The scores of the calibrated thresholds.
    pub(crate) operating_points: Vec<OperatingScores>,
}

/// The scores on the test images of a threshold from calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct OperatingScores {
    /// The specificity that it was chosen for.
    pub(crate) required_specificity: f64,
    /// The threshold on the sum of the positive classes' probabilities.
    pub(crate) threshold: f64,
    /// Of the positive test images, those found.
    pub(crate) sensitivity: Option<Proportion>,
    /// Of the negative test images, those called negative.
    pub(crate) specificity: Option<Proportion>,
}

/// 95 % bootstrap intervals over groups of images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Intervals {
    /// Number of resamples.
    pub(crate) resamples: u32,
    /// Number of groups.
    pub(crate) groups: usize,
    pub(crate) accuracy: Option<Interval>,
    pub(crate) balanced_accuracy: Option<Interval>,
    pub(crate) cohen_kappa: Option<Interval>,
    pub(crate) matthews_correlation: Option<Interval>,
    pub(crate) top_2_accuracy: Option<Interval>,
    pub(crate) auroc: Option<Interval>,
    pub(crate) average_precision: Option<Interval>,
    pub(crate) loss: Option<Interval>,
    pub(crate) brier: Option<Interval>,
    #[serde(rename = "macro")]
    pub(crate) macro_average: AverageSummary<Option<Interval>>,
    pub(crate) classes: BTreeMap<String, ClassSummary<Option<Interval>>>,
}

/// The inputs of the scores.
pub(crate) struct Scored<'a> {
    pub(crate) model: Digest,
    pub(crate) data: Option<Digest>,
    pub(crate) classes: &'a ClassIndices,
    pub(crate) test: &'a TestSet,
    pub(crate) predictions: &'a Predictions,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) temperature: f64,
    pub(crate) positive: Option<&'a PositiveClasses>,
}

impl Scores {
    /// Computes every score.
    ///
    /// # Errors
    /// When a positive class is not one of the model's.
    pub(crate) fn new(
        scored: &Scored<'_>,
        worth: Worth,
        explanations: Explanations,
    ) -> classifier::Result<Self> {
        let scorer = Scorer::new(scored.predictions);
        let groups = scored.test.groups();
        let summary = scorer.summary();
        let intervals = scorer.estimates(&scored.bootstrap, &groups);
        let matrix = scored.predictions.confusion_matrix();
        let classes = scored.classes.names().iter().zip(summary.classes.iter()).enumerate();
        let classes = classes.map(|(index, (name, scores))| {
            let support = matrix.support(ClassIndex(index));
            let note = (support < FEW_TEST_IMAGES).then_some("too few");
            (name.clone(), ClassScores { scores: scores.clone(), support, note })
        });
        // The k-th of k classes is always right.
        let ks = 2..scored.classes.len().min(6);
        Ok(Self {
            worth,
            explanations,
            model: scored.model,
            data: scored.data,
            loss: summary.log_loss,
            accuracy: summary.accuracy,
            images: matrix.total(),
            temperature: scored.temperature,
            balanced_accuracy: summary.balanced_accuracy,
            cohen_kappa: summary.cohen_kappa,
            matthews_correlation: summary.matthews_correlation,
            auroc: summary.auroc,
            average_precision: summary.average_precision,
            brier: summary.brier,
            expected_calibration_error: summary.expected_calibration_error,
            top_k_accuracy: ks.map(|k| (k, top_k_accuracy(scored.predictions, k))).collect(),
            classes: classes.collect(),
            positive: scored.positive.map(|it| positive_scores(scored, it)).transpose()?,
            intervals: Intervals::new(intervals, scored, groups.len()),
            macro_average: summary.macro_average,
            weighted_average: summary.weighted_average,
        })
    }

    /// Classes with fewer than [`FEW_TEST_IMAGES`] test images, and how many they have.
    pub(crate) fn thin_classes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.classes
            .iter()
            .filter(|(_, scores)| scores.note.is_some())
            .map(|(class, scores)| (class.as_str(), scores.support))
    }
}

fn positive_scores(
    scored: &Scored<'_>,
    positive: &PositiveClasses,
) -> classifier::Result<PositiveScores> {
    let indices = positive.indices(scored.classes)?;
    let ranking = Ranking::against_rest(scored.predictions, &indices);
    let scores = scored.predictions.against_rest(&indices);
    let points = positive.operating_points.iter().filter_map(|outcome| match outcome {
        OperatingPointOutcome::Found(point) => {
            let found = AtThreshold::of(&scores, point.threshold);
            Some(OperatingScores {
                required_specificity: point.required_specificity,
                threshold: point.threshold,
                sensitivity: found.sensitivity,
                specificity: found.specificity,
            })
        }
        OperatingPointOutcome::Missing(_) => None,
    });
    Ok(PositiveScores {
        classes: positive.classes.clone(),
        auroc: ranking.auroc(),
        average_precision: ranking.average_precision(),
        operating_points: points.collect(),
    })
}

impl Intervals {
    fn new(estimates: Summary<Estimate>, scored: &Scored<'_>, groups: usize) -> Self {
        let intervals = estimates.map(|estimate| estimate.interval);
        Self {
            resamples: scored.bootstrap.resamples,
            groups,
            accuracy: intervals.accuracy,
            balanced_accuracy: intervals.balanced_accuracy,
            cohen_kappa: intervals.cohen_kappa,
            matthews_correlation: intervals.matthews_correlation,
            top_2_accuracy: intervals.top_2_accuracy,
            auroc: intervals.auroc,
            average_precision: intervals.average_precision,
            loss: intervals.log_loss,
            brier: intervals.brier,
            macro_average: intervals.macro_average,
            classes: scored.classes.names().iter().cloned().zip(intervals.classes).collect(),
        }
    }
}

/// A table of classes and averages, then the overall scores, then their worth.
impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let averages =
            [("macro average", &self.macro_average), ("weighted average", &self.weighted_average)];
        let names = self.classes.keys().map(String::as_str).chain(averages.map(|(name, _)| name));
        let width = names.map(|name| name.chars().count()).max().unwrap_or_default();
        writeln!(f, "{:width$}  precision  recall      f1   auroc  images", "class")?;
        for (name, ClassScores { scores, support, note }) in &self.classes {
            writeln!(
                f,
                "{name:width$}  {:>9}  {:>6}  {:>6}  {:>6}  {support:6}{}",
                four(scores.precision),
                four(scores.recall),
                four(scores.f1),
                four(scores.auroc),
                note.map(|note| format!("  {note}")).unwrap_or_default(),
            )?;
        }
        for (name, AverageSummary { precision, recall, f1 }) in averages {
            let images = self.images;
            let (precision, recall, f1) = (four(*precision), four(*recall), four(*f1));
            writeln!(f, "{name:width$}  {precision:>9}  {recall:>6}  {f1:>6}          {images:6}")?;
        }
        self.fmt_totals(f)
    }
}

impl Scores {
    fn fmt_totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\naccuracy {}", four(self.accuracy))?;
        if let Some(Interval { low, high }) = self.intervals.accuracy {
            write!(f, " (95 % interval {low:.3} to {high:.3}; {})", self.worth.unit)?;
        }
        writeln!(
            f,
            "\nloss {} · AUROC {} · balanced accuracy {} · calibration error {}",
            four(self.loss),
            four(self.auroc),
            four(self.balanced_accuracy),
            four(self.expected_calibration_error)
        )?;
        if let Some(positive) = &self.positive {
            writeln!(
                f,
                "{} against the others: AUROC {}",
                positive.classes.join(", "),
                four(positive.auroc)
            )?;
            for point in &positive.operating_points {
                writeln!(f, "  {point}")?;
            }
        }
        if let Some(rest) = &self.worth.without_copies {
            writeln!(
                f,
                "without the {} images that training has copies of: accuracy {} on {}",
                rest.left_out,
                four(rest.accuracy.value),
                rest.images
            )?;
        }
        if let crate::worth::leak::Leak::Measured(effect) = &self.worth.leak {
            writeln!(f, "{}", effect.in_words)?;
        }
        Ok(())
    }
}

/// `at the threshold for specificity 0.90: sensitivity 0.93, specificity 0.88`
impl fmt::Display for OperatingScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share =
            |it: Option<Proportion>| it.map_or("–".to_owned(), |it| format!("{:.3}", it.share));
        write!(
            f,
            "at the threshold for specificity {:.2}: sensitivity {}, specificity {}",
            self.required_specificity,
            share(self.sensitivity),
            share(self.specificity)
        )
    }
}

/// Four digits, or a dash if it is undefined.
fn four(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worth::Contest;
    use crate::worth::leak::Leak;
    use scoring::{TestImage, Unit};

    /// Three images of `cancer`, one of which is predicted as `normal`; one of `normal`,
    /// recognised.
    fn scores() -> Scores {
        let classes = ClassIndices::of_names(["normal", "cancer"]);
        let rows = [(0, 0.9), (0, 0.8), (0, 0.3), (1, 0.2)]
            .map(|(actual, cancer)| (ClassIndex(actual), [cancer, 1.0 - cancer]));
        let image = |(number, (actual, _)): (usize, &(ClassIndex, [f64; 2]))| TestImage {
            name: number.to_string(),
            file: number.to_string().into(),
            sha256: artifact::Digest::of(&[number as u8]),
            actual: *actual,
            group: number as u32,
            has_copy_in_training: false,
        };
        let images = rows.iter().enumerate().map(image).collect();
        let test = TestSet { images, unit: Unit::Slices };
        let predictions = Predictions::new(2, rows).unwrap();
        let bootstrap = Bootstrap { seed: 17, resamples: 200 };
        let contest = Contest {
            classes: &classes,
            test: &test,
            predictions: &predictions,
            bootstrap,
            is_control: false,
        };
        let worth = contest.decide(&[], Leak::NoCopies);
        let scored = Scored {
            model: Digest::of(b"weights"),
            data: None,
            classes: &classes,
            test: &test,
            predictions: &predictions,
            bootstrap,
            temperature: 1.0,
            positive: None,
        };
        Scores::new(&scored, worth, Explanations::NotTested { reason: "of a test".into() }).unwrap()
    }

    #[test]
    fn scores_are_nested_and_begin_with_their_worth() {
        let json = serde_json::to_string(&scores()).unwrap();
        assert!(json.starts_with("{\"worth\":{\"in_words\":"), "{json}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["accuracy"], 0.75);
        assert_eq!(json["classes"]["normal"]["precision"], 0.5);
        assert_eq!(json["macro"]["precision"], 0.75);
        assert_eq!(json["weighted"]["recall"], 0.75);
        assert_eq!(json["classes"]["cancer"]["support"], 3);
        assert_eq!(json["classes"]["cancer"]["auroc"], 1.0);
        assert_eq!(json["classes"]["cancer"]["note"], "too few");
    }

    #[test]
    fn the_table_lines_up() {
        let text = scores().to_string();
        let expected = "\
class             precision  recall      f1   auroc  images
cancer               1.0000  0.6667  0.8000  1.0000       3  too few
normal               0.5000  1.0000  0.6667  1.0000       1  too few
macro average        0.7500  0.8333  0.7333               4
weighted average     0.8750  0.7500  0.7667               4
";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("per slice, patients unknown: optimistic"), "{text}");
    }
}
