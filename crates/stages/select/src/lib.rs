//! Stage 5: the best checkpoint becomes the model.
//!
//! ```text
//! Checkpoint_<run>/…  ─ trained on the present data       runs
//!   ↓ names that fit the pattern; the recorded accuracy    pattern, candidates
//!   ↓ loss of the epoch                                    history
//!   ↓ best first, and why                                  ranking, table
//!   ↓ digest and base are the recorded ones                publish
//! model/  whole model, class indices, description, curves
//! ```

use anyhow::Context;
use classifier::architecture::BaseDescription;
use classifier::description::ModelDescription;
use dataset::ValidatedManifest;
use program::UsageError;
use serde_json::json;

mod arguments;
mod candidates;
mod error;
mod history;
mod metrics;
mod pattern;
mod publish;
mod ranking;
mod runs;
mod table;

pub use arguments::Arguments;

use error::SelectError;
use pattern::CheckpointPattern;
use ranking::{Candidate, Reason, rank};
use runs::RunFolder;
use table::CandidateTable;

/// Number of candidates printed.
const SHOWN: usize = 5;

/// Selects the best checkpoint, or the one that the arguments name, and writes the model.
///
/// # Errors
/// When the configuration cannot be used, no checkpoint was trained on the present data or matches
/// the pattern, the selected one is not the recorded file or belongs to another base, or the model
/// cannot be written. The model folder is then unchanged.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(model) = &arguments.from_registry {
        let successor = format!("--from-registry has moved; say: register --fetch {model}");
        return Err(UsageError(successor).into());
    }
    let settings = arguments.settings()?;
    let paths = &settings.config.paths;
    let manifest = ValidatedManifest::read(&paths.data_validation, &paths.data_ingestion)
        .context("find the images; run validate first")?;
    let data = manifest.included().digest();

    let (candidates, reason) = match &arguments.checkpoint {
        Some(path) => (vec![candidates::named(path, data)?], Reason::Named),
        None => {
            let runs = runs::find_runs(&paths.model_training)?;
            let base = BaseDescription::read(&paths.base_model).ok();
            let base = base.map(|base| base.base_sha256);
            let runs = runs::trained_on(data, base, runs, &paths.model_training)?;
            ranked(&runs, &settings.params.select.checkpoint_pattern)?
        }
    };
    let winner = &candidates[0];
    publish::publish(winner, &paths.base_model, &paths.model)?;

    let table = CandidateTable { candidates: &candidates, shown: SHOWN };
    let (folder, file_name, model) = (&winner.folder, &winner.file_name, paths.model.display());
    let text = format!(
        "{table}\n\nselected {folder}/{file_name}: {reason}\nwrote {model}\n{}",
        ModelDescription::NOTICE
    );
    let facts = json!({
        "program": "select",
        "model": paths.model,
        "checkpoint": winner.path,
        "reason": reason.to_string(),
        "candidates": candidates.len(),
        "epoch": winner.epoch,
        "valid_accuracy": winner.validation_accuracy,
        "valid_loss": winner.validation_loss,
    });
    arguments.common.print(&text, &facts)
}

/// The checkpoints of some runs, best first and at least one, and the reason for the first one.
fn ranked(runs: &[RunFolder], pattern: &str) -> Result<(Vec<Candidate>, Reason), SelectError> {
    let mut candidates = candidates::candidates(runs, &CheckpointPattern::new(pattern)?)?;
    let reason = rank(&mut candidates);
    Ok((candidates, reason))
}
