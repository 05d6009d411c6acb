//! Stage 3: the base and a fresh head.
//!
//! ```text
//! imagenet ─ hub ─┐   (the file, where there is one)
//! file ───────────┼─▶ the base  ─▶ base_model.safetensors
//! random ─────────┘      └─ and a fresh head ─▶ updated_base_model.safetensors
//! ```
//!
//! `architecture.json` beside them describes the network and holds both digests. The same
//! parameters and weights give the same bytes.

mod arguments;
mod weights;

use std::path::Path;

use anyhow::Context;
use artifact::StagedFolder;
use classifier::architecture::{Architecture, BaseDescription};
use classifier::tensors::{self, TensorMap};
use classifier::{ClassifierError, initialise, summary_table};
use dataset::ClassIndices;
use program::UsageError;
use serde_json::json;

pub use arguments::{Arguments, WeightsChoice};
use weights::Weights;

/// Makes the base and the base with a head, and prints the model's summary on standard output.
///
/// # Errors
/// When the configuration is refused, the weights cannot be obtained or do not fit, or the folder
/// cannot be written. The previous folder is then unchanged.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = arguments.settings()?;
    let params = &settings.params.prepare_base;
    let classes = ClassIndices::of_names(settings.config.data.classes.names());
    let architecture = Architecture::new(params, &classes).map_err(refuse)?;
    let weights = weights::load(&settings.config, params, architecture.base)?;
    let head = initialise::fresh_head(&architecture, params.seed);

    let folder = &settings.config.paths.base_model;
    let table = summary_table(&architecture);
    write(folder, architecture, weights, head)
        .with_context(|| format!("make {}", folder.display()))?;
    tracing::info!("wrote {}", folder.display());
    let facts = json!({
        "program": "prepare-base",
        "output": folder,
        "base": folder.join(BaseDescription::BASE_FILE),
        "description": folder.join(BaseDescription::FILE),
    });
    arguments.common.print(&table, &facts)
}

/// A base or a layer that does not exist, or a setting that the base cannot have, is a mistake in the
/// configuration: exit code 2.
fn refuse(error: ClassifierError) -> anyhow::Error {
    let key = match error {
        ClassifierError::UnknownLayer { .. } => "freeze",
        ClassifierError::UnknownBase { .. } => "architecture",
        ClassifierError::ImageSize { .. } => "image_size",
        ClassifierError::NoBranches { .. } => "stochastic_depth",
        other => return other.into(),
    };
    UsageError(format!("accept prepare_base.{key}: {error}")).into()
}

/// Writes the two weight files and their description; the folder appears completely or not at all.
fn write(
    folder: &Path,
    architecture: Architecture,
    weights: Weights,
    head: TensorMap,
) -> anyhow::Result<()> {
    let Weights { tensors: mut model, description: weights } = weights;
    let staged = StagedFolder::in_place_of(folder, &[BaseDescription::FILE])?;
    let base_sha256 =
        tensors::write(&staged.path().join(BaseDescription::BASE_FILE), &model, &weights)?;
    model.extend(head);
    let updated_base_sha256 =
        tensors::write(&staged.path().join(BaseDescription::UPDATED_BASE_FILE), &model, &weights)?;
    let description = BaseDescription {
        format: BaseDescription::FORMAT,
        architecture,
        weights,
        base_sha256,
        updated_base_sha256,
    };
    artifact::write_json(&staged.path().join(BaseDescription::FILE), &description)?;
    staged.publish()?;
    Ok(())
}
