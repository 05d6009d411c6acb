//! The scores of a head on the validation images.

use anyhow::Result;
use classifier::checkpoint::ValidationScores;
use dataset::ClassIndex;
use metrics::{LabelledLogits, Scorer, Temperature};

/// Scores logits, one row per image, against the images' classes.
///
/// # Errors
/// When a logit is not a number, or a label is beyond the last class.
pub fn validation_scores(
    classes: usize,
    labels: &[usize],
    logits: &[Vec<f32>],
) -> Result<ValidationScores> {
    let rows = labels.iter().zip(logits).map(|(label, row)| {
        (ClassIndex(*label), row.iter().copied().map(f64::from).collect::<Vec<f64>>())
    });
    let predictions = LabelledLogits::new(classes, rows)?.probabilities(Temperature::ONE);
    let summary = Scorer::new(&predictions).summary();
    Ok(ValidationScores {
        accuracy: summary.accuracy,
        balanced_accuracy: summary.balanced_accuracy,
        macro_f1: summary.macro_average.f1,
        auroc: summary.auroc,
        average_precision: summary.average_precision,
        loss: summary.log_loss,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_softmax() {
        let logits = vec![vec![3.0_f32.ln(), 0.0], vec![0.0, 0.0], vec![0.0, 1.0]];
        let scores = validation_scores(2, &[0, 1, 1], &logits).unwrap();
        // For the tie, the first class is predicted.
        assert_eq!(scores.accuracy, Some(2.0 / 3.0));
        assert_eq!(scores.balanced_accuracy, Some(0.75));
        let right = [0.75_f64, 0.5, 1.0 / (1.0 + (-1.0_f64).exp())];
        let loss = right.iter().map(|it| -it.ln()).sum::<f64>() / 3.0;
        assert!((scores.loss.unwrap() - loss).abs() < 1e-6, "{scores:?}");
        assert_eq!(scores.auroc, Some(1.0));
    }

    #[test]
    fn a_class_without_images_leaves_scores_undefined() {
        let scores = validation_scores(3, &[0, 1], &[vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]]);
        assert_eq!(scores.unwrap().auroc, None);
    }
}
