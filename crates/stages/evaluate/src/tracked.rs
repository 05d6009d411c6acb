//! Logs an evaluation to MLflow, in the run of the training that the model comes from.

use std::path::Path;

use anyhow::Result;
use classifier::description::ModelDescription;
use figures::Confusion;
use scoring::Prediction;
use scoring::looks::TestSetLooks;
use tracking::{DataUse, Program, TrackedRun};

use crate::evaluation::{
    CONFUSION_MATRIX_FILE, Evaluation, PREDICTIONS_FILE, RELIABILITY_FILE, REPORT_FILE, ROC_FILE,
    SCORES_FILE,
};
use crate::scores::Scores;
use crate::sheets::SheetContent;
use crate::source::Source;

/// Continues the run of the training. Scores on another folder are not logged.
pub(crate) fn begin(evaluation: &Evaluation) -> TrackedRun {
    let Evaluation { settings, model, validated, source, .. } = evaluation;
    if *source == Source::Folder {
        return TrackedRun::off();
    }
    let description = model.description();
    let run = TrackedRun::begin(settings, Program::Evaluate, &description.source.run);
    run.tag("model.checkpoint", &description.source.checkpoint);
    run.tag("model.digest", &description.digests.weights);
    if let Some(validated) = validated {
        run.images(settings, &validated.included(), DataUse::Evaluation);
    }
    run
}

/// Logs the scores, and the files written with them.
pub(crate) fn tell_scores(run: &TrackedRun, scores: &Scores, folder: &Path) {
    run.scores("test", scores);
    run.tag("worth", &scores.worth.in_words);
    run.describe(&description(scores));
    for file in [
        SCORES_FILE,
        REPORT_FILE,
        PREDICTIONS_FILE,
        CONFUSION_MATRIX_FILE,
        ROC_FILE,
        RELIABILITY_FILE,
    ] {
        run.file(&format!("evaluation/{file}"), &folder.join(file));
    }
}

/// The description on the run's page, in Markdown.
fn description(scores: &Scores) -> String {
    let accuracy = scores.accuracy.map_or("–".to_owned(), |accuracy| format!("{accuracy:.4}"));
    format!(
        "**Accuracy {accuracy} on {} test images.** {}\n\n{}",
        scores.images,
        terminal::markdown(&scores.worth.in_words),
        ModelDescription::NOTICE
    )
}

/// Logs how often the test set was scored.
pub(crate) fn tell_looks(run: &TrackedRun, looks: &TestSetLooks) {
    run.scores("test_looks", looks);
    run.tag("test_looks", looks);
}

/// Logs the confusion matrix as a picture, and some of the images with the model's predictions.
pub(crate) fn tell_pictures(run: &TrackedRun, evaluation: &Evaluation, predictions: &[Prediction]) {
    run.bytes("evaluation/confusion_matrix.png", || confusion_matrix(evaluation, predictions));
    let classes = evaluation.model.classes();
    for (index, sheet) in SheetContent::choose(predictions, classes.len()).iter().enumerate() {
        let path = format!("evaluation/predictions/sheet_{}.png", index + 1);
        let images = &evaluation.test.images;
        run.bytes(&path, || sheet.png(images, predictions, classes));
    }
}

fn confusion_matrix(evaluation: &Evaluation, predictions: &[Prediction]) -> Result<Vec<u8>> {
    let classes = evaluation.model.classes();
    let matrix = scoring::for_metrics(classes, predictions)?.confusion_matrix();
    Ok(Confusion { matrix: &matrix, classes }.png()?)
}
