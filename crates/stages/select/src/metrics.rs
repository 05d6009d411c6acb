//! `model/metrics.json`: the metrics for ranking experiments.
//!
//! None of it uses the test split. Scores of the validation split use the probabilities before
//! calibration. Those of the cross-validation use the training split alone, with heads that were
//! not trained on the predicted images.

use classifier::checkpoint::CheckpointMetadata;
use serde::Serialize;

/// Flat, so that `dvc exp show` has a column for each. Undefined values are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Metrics {
    #[serde(skip_serializing_if = "Option::is_none")]
    cv_accuracy: Option<f64>,
    /// For `cv_accuracy`: differences below two of these are ties.
    #[serde(skip_serializing_if = "Option::is_none")]
    cv_accuracy_standard_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cv_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cv_auroc: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_balanced_accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_macro_f1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_auroc: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_average_precision: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_loss: Option<f64>,
}

impl Metrics {
    /// The metrics of a checkpoint.
    pub(crate) fn of(checkpoint: &CheckpointMetadata) -> Self {
        let solved = checkpoint.solved.as_ref().map(|solved| solved.search.best());
        let epochs = checkpoint.epochs.as_ref().map(solvers::EpochSearch::best);
        let valid = checkpoint.validation;
        Self {
            cv_accuracy: solved.map(|it| it.accuracy).or(epochs.map(|it| it.accuracy)),
            cv_accuracy_standard_error: solved
                .map(|it| it.standard_error)
                .or(epochs.map(|it| it.standard_error)),
            cv_loss: solved.map(|it| it.log_loss).or(epochs.map(|it| it.log_loss)),
            cv_auroc: solved.map_or_else(|| epochs.and_then(|it| it.auroc), |it| it.auroc),
            valid_accuracy: valid.accuracy,
            valid_balanced_accuracy: valid.balanced_accuracy,
            valid_macro_f1: valid.macro_f1,
            valid_auroc: valid.auroc,
            valid_average_precision: valid.average_precision,
            valid_loss: valid.loss,
        }
    }
}
