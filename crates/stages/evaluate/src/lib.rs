//! Stage 7: the selected model on the test split.
//!
//! ```text
//! test images, the model, its temperature            crate inference
//!   ↓
//! predictions ─ one row per image
//!   ├─ beside baselines, and where the score is from   worth
//!   ├─ contact sheets, for a run that is tracked        sheets
//!   ↓ by class, on average, with intervals
//! scores                                              scores, plots
//!   ├─ whether maps of where it looked are true        explanations
//!   ├─ mistakes, and where the model looked            examples
//!   ↓                                                  page
//! scores.json, predictions.csv, confusion_matrix.csv, roc.csv, reliability.csv, history.csv,
//! report.html
//! ```

use std::path::Path;

use anyhow::Result;
use classifier::description::ModelDescription;
use serde_json::json;

mod arguments;
mod evaluation;
mod examples;
mod explanations;
mod page;
mod plots;
mod scores;
mod sheets;
mod source;
mod tracked;
mod worth;

pub use arguments::Arguments;

use evaluation::{Evaluation, REPORT_FILE, SCORES_FILE};
use scores::{FEW_TEST_IMAGES, Scores};

/// Scores the model on the test split, or on the folder that the arguments name, prints the scores,
/// and writes them with the files behind them.
///
/// # Errors
/// When the configuration or the model cannot be used, there is nothing to score, a class is
/// unknown to the model, an image is missing, changed or not a picture, or the output cannot be
/// written. The output folder is then unchanged.
pub fn run(arguments: &Arguments) -> Result<()> {
    let settings = arguments.settings()?;
    let evaluation = Evaluation::prepare(arguments, settings)?;
    if let Some(file) = &arguments.dump_inputs {
        let limit = arguments.limit.get().min(evaluation.test.images.len());
        let images = &evaluation.test.images[..limit];
        scoring::dump_inputs(&evaluation.model, images, evaluation.temperature(), file)?;
        tracing::info!("wrote input and output of {limit} images to {}", file.display());
        return Ok(());
    }
    let tracked = tracked::begin(&evaluation);
    let (count, backend) = (evaluation.test.images.len(), evaluation.model.backend());
    tracing::info!("scoring {count} test images on {backend}");
    let refit = evaluation.refit()?;
    let predictions = evaluation.predict(&evaluation.test, refit.as_ref())?;
    let scores = evaluation.score(&predictions, refit.as_ref())?;
    evaluation.write(&predictions, &scores)?;
    tracked::tell_scores(&tracked, &scores, &evaluation.settings.config.paths.evaluation);
    tracked::tell_pictures(&tracked, &evaluation, &predictions);

    warn_of_few_images(&scores);
    let mut text = format!("{scores}\n{}\n{}", ModelDescription::NOTICE, scores.worth.in_words);
    if let Some(looks) = evaluation.note_look(&scores) {
        tracked::tell_looks(&tracked, &looks);
        text += &format!("\nLooks: {looks}.");
    }
    tracked.finish();
    arguments.common.print(&text, &facts(&scores, &evaluation.settings.config.paths.evaluation))
}

/// What scripts ask for; the rest is in `scores.json`.
fn facts(scores: &Scores, folder: &Path) -> serde_json::Value {
    json!({
        "program": "evaluate",
        "output": folder,
        "scores": folder.join(SCORES_FILE),
        "report": folder.join(REPORT_FILE),
        "images": scores.images,
        "accuracy": scores.accuracy,
        "accuracy_interval": scores.intervals.accuracy,
        "auroc": scores.auroc,
        "loss": scores.loss,
        "expected_calibration_error": scores.expected_calibration_error,
        "verdict": scores.worth.verdict,
        "in_words": scores.worth.in_words,
    })
}

fn warn_of_few_images(scores: &Scores) {
    for (class, images) in scores.thin_classes() {
        tracing::warn!(
            "{class} has {images} test images: with fewer than {FEW_TEST_IMAGES}, its scores are \
             uncertain"
        );
    }
}
