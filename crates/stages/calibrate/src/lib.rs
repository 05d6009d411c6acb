//! Stage 6: temperature, thresholds, and limits for out-of-distribution images.
//!
//! ```text
//! validation images, without copies of training images      images
//!   + training images, each by a head that never saw it       held_out, out_of_fold
//!   ↓ logits
//! temperature, operating points                              fit::Confidence
//! greys and features of all of them, held out in turn        foreign
//!   ↓
//! model/calibration.json, model/foreign.safetensors, model/held_out.safetensors
//! ```

use anyhow::{Context, Result, bail};
use classifier::calibration::Calibration;
use classifier::description::ModelDescription;
use classifier::drift::DriftReference;
use classifier::features::StoreSettings;
use classifier::model::Model;
use dataset::ValidatedManifest;
use fit::{Confidence, Refit};
use serde_json::json;

mod arguments;
mod foreign;
mod held_out;
mod images;
mod out_of_fold;
mod summary;

pub use arguments::Arguments;

use images::Images;

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
    let features = StoreSettings::of(&settings.config);
    let refit = Refit::of_model(&model, &paths.base_model, &features)?;

    let images = Images::look(&manifest, &model, &refit)?;
    let views = held_out::views(&refit, params, &features)?;
    let (predicted, sources) = held_out::gather(&images, &model, &refit, params, &views)?;
    let (classes, positive) = (model.classes(), &settings.config.data.positive);
    let confidence = Confidence::fit(&held_out::as_they_are(&predicted), classes, positive)?;
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
    held_out::to_keep(&predicted, &views).write(&paths.model, model.description())?;
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
