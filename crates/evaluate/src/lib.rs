//! Stage 5: the selected model on the test split.
//!
//! ```text
//! test images ─ digests are the manifest's        images
//!   ↓ the model                                     inference
//! predictions ─ one row per image                 predictions
//!   ↓ by actual and predicted class                 metrics
//! scores ─ per class, on average                  scores
//!   ↓
//! scores.json, predictions.csv, confusion_matrix.csv, history.csv
//! ```

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use artifact::StagedFolder;
use classifier::model::{Model, ModelDescription};
use dataset::{Manifest, Split};

mod arguments;
mod images;
mod inference;
mod metrics;
mod predictions;
mod scores;

pub use arguments::Arguments;

use inference::{TestImage, predict};
use predictions::{Prediction, confusion_matrix, mean_loss};
use scores::{FEW_TEST_IMAGES, Scores};

const SCORES_FILE: &str = "scores.json";
const PREDICTIONS_FILE: &str = "predictions.csv";
const CONFUSION_MATRIX_FILE: &str = "confusion_matrix.csv";
const HISTORY_FILE: &str = "history.csv";

/// Scores the model on the test split, prints the scores and writes them with what they rest on.
///
/// # Errors
/// When the configuration or the model cannot be used, the test split is empty or has a class that
/// the model does not know, an image is missing, changed or no picture, or the output cannot be
/// written. The output folder is then as it was before.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = arguments.settings()?;
    let paths = &settings.config.paths;
    let model = Model::load(&paths.model, settings.params.evaluate.device)?;
    let manifest = Manifest::read(&paths.data_ingestion)?;
    let records = manifest.non_empty_split(Split::Test)?;
    let images = TestImage::all(&records, model.classes())?;
    warn_of_other_data(&manifest, model.description());

    if let Some(file) = &arguments.dump_inputs {
        let limit = arguments.limit.get().min(images.len());
        inference::dump_inputs(&model, &manifest, &images[..limit], file)?;
        tracing::info!("wrote input and output of {limit} images to {}", file.display());
        return Ok(());
    }
    tracing::info!("scoring {} test images on {}", images.len(), model.backend());
    let predictions = predict(&model, &manifest, &images)?;
    let scores = write(&model, &predictions, &paths.model, &paths.evaluation)?;

    warn_of_few_images(&scores);
    writeln!(io::stdout(), "{scores}\n\n{}", ModelDescription::NOTICE).context("print the scores")
}

/// Writes the whole output folder and returns the scores.
fn write(
    model: &Model,
    predictions: &[Prediction],
    model_folder: &Path,
    output: &Path,
) -> anyhow::Result<Scores> {
    let classes = model.classes();
    let matrix = confusion_matrix(classes, predictions);
    let scores = Scores::new(classes, &matrix, mean_loss(predictions));
    let history = artifact::read_bytes(&model_folder.join(HISTORY_FILE))?;

    let staged = StagedFolder::in_place_of(output, SCORES_FILE)?;
    let folder = staged.path();
    artifact::write_json(&folder.join(SCORES_FILE), &scores)?;
    predictions::write_predictions(&folder.join(PREDICTIONS_FILE), classes, predictions)?;
    let file = folder.join(CONFUSION_MATRIX_FILE);
    predictions::write_confusion_matrix(&file, classes, &matrix)?;
    artifact::write_file(&folder.join(HISTORY_FILE), &history)?;
    staged.publish()?;
    Ok(scores)
}

fn warn_of_other_data(manifest: &Manifest, description: &ModelDescription) {
    let (trained, present) = (description.digests.data, manifest.digest());
    if trained != present {
        tracing::warn!(
            "the model was trained on other data (manifest {}) than the present (manifest {}): \
             the test split may hold images it has seen",
            trained.short(),
            present.short()
        );
    }
}

fn warn_of_few_images(scores: &Scores) {
    for (class, images) in scores.thin_classes() {
        tracing::warn!(
            "{class} has {images} test images: with fewer than {FEW_TEST_IMAGES}, its scores say \
             little"
        );
    }
}
