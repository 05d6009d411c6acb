//! Stage 6: temperature, thresholds, and limits for out-of-distribution images.
//!
//! ```text
//! validation images, without copies of training images      images
//!   + training images, each by a head that never saw it       out_of_fold, folds
//!   ↓ logits
//! temperature, operating points                              confidence
//! greys and features of all of them, held out in turn        foreign
//!   ↓
//! model/calibration.json, model/foreign.safetensors
//! ```

use anyhow::{Context, Result, bail};
use classifier::calibration::{Calibration, CalibrationImages};
use classifier::description::ModelDescription;
use classifier::drift::DriftReference;
use classifier::features::StoreSettings;
use classifier::model::Model;
use config::CalibrateParams;
use dataset::ValidatedManifest;
use fit::Refit;
use serde_json::json;

mod arguments;
mod confidence;
mod foreign;
mod images;
mod out_of_fold;
mod summary;

pub use arguments::Arguments;

use confidence::Confidence;
use images::{Images, LabelledLogits};

/// Calibrates the model and prints the results.
///
/// # Errors
/// When the configuration cannot be used, the model was trained on other data, an image cannot be
/// read, or the files cannot be written.
pub fn run(arguments: &Arguments) -> Result<()> {
    let settings = arguments.settings()?;
    let paths = &settings.config.paths;
    let params = &settings.params.calibrate;
    let manifest = ValidatedManifest::read(&paths.data_validation, &paths.data_ingestion)
        .context("find the images; run validate first")?;
    let model =
        Model::load(&paths.model, params.device).context("load the model; run select first")?;
    refuse_other_data(&manifest, model.description())?;
    let refit = Refit::of_model(&model, &paths.base_model, &StoreSettings::of(&settings.config))?;

    let images = Images::look(&manifest, &model, &refit)?;
    let (logits, sources) = calibration_logits(&images, &model, &refit, params)?;
    let confidence = Confidence::fit(&logits, model.classes(), &settings.config.data.positive)?;
    let foreign = foreign::fit(&images, params)?;

    let mut calibration = Calibration {
        format: Calibration::FORMAT,
        notice: ModelDescription::NOTICE.into(),
        model: model.description().digests.weights,
        images: sources,
        temperature: confidence.temperature,
        expected_calibration_error: confidence.expected_calibration_error,
        positive: confidence.positive,
        foreign: foreign.checks,
        drift: Some(DriftReference::new(
            foreign.feature_distances,
            foreign.grey_distances,
            confidence.confidences,
            confidence.predicted,
        )),
        seal: None,
    };
    calibration.write(&paths.model, &foreign.features)?;
    let facts = json!({
        "program": "calibrate",
        "calibration": paths.model.join(Calibration::FILE),
        "images": calibration.images,
        "temperature": calibration.temperature,
        "expected_calibration_error": calibration.expected_calibration_error,
        "positive": calibration.positive,
    });
    arguments.common.print(&summary::Summary(&calibration).to_string(), &facts)
}

/// A calibration on other images would be useless, and copies in training would be unknown.
fn refuse_other_data(manifest: &ValidatedManifest, model: &ModelDescription) -> Result<()> {
    let (present, trained_on) = (manifest.included().digest(), model.digests.data);
    if present != trained_on {
        bail!(
            "calibrate the model: it was trained on other data (manifest {}, present is {}); run train and select",
            trained_on.short(),
            present.short()
        );
    }
    Ok(())
}

/// Logits of images, each by a head that was not trained on it.
fn calibration_logits(
    images: &Images,
    model: &Model,
    refit: &Refit,
    params: &CalibrateParams,
) -> Result<(LabelledLogits, CalibrationImages)> {
    let (mut logits, left_out_copies) = images.validation_logits();
    let validation = logits.len();
    let few = validation < params.out_of_fold_below as usize;
    let folds = (few && refit.is_cheap()).then(|| out_of_fold::folds_of(images, params));
    let reason = match &folds {
        None if few => format!(
            "{validation} validation images are few, but part of the base was trained too: folds \
             would cost {} trainings",
            params.folds
        ),
        None => format!("{validation} validation images are enough"),
        Some(Err(error)) => format!(
            "{validation} validation images are too few, and so are the training images for folds: \
             {}",
            error.in_words(model.classes().names())
        ),
        Some(Ok(folds)) => format!(
            "{validation} validation images are fewer than {}, so the training images were \
             predicted too, in {} folds",
            params.out_of_fold_below,
            folds.count()
        ),
    };
    let mut out_of_fold = 0;
    if let Some(Ok(folds)) = &folds {
        let epochs = model.description().source.epoch;
        let predicted = out_of_fold::logits(images, refit, folds, epochs)?;
        out_of_fold = predicted.len();
        logits.extend(predicted);
    }
    tracing::info!("calibrating on {} images: {reason}", logits.len());
    if logits.is_empty() {
        bail!("calibrate the model: there are no validation images without a copy in training");
    }
    Ok((logits, CalibrationImages { validation, left_out_copies, out_of_fold, reason }))
}
