//! The same gate without a server: against a model that was kept in a folder.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use artifact::StagedFolder;
use program::{CommonArguments, Settings};
use registered_model::DIGESTS_FILE;
use serde_json::json;
use services::PromotionConfig;

use crate::candidate::Candidate;
use crate::challenge::{challenge, gate};
use crate::champion;
use crate::gate::Outcome;
use crate::outcome::{NOT_PROMOTED, print};

/// Copies the model, with its scores and the digests of its training images, to a folder.
///
/// # Errors
/// When the model, its scores or its images cannot be used, or the folder holds something else.
pub(crate) fn keep(
    settings: &Settings,
    folder: &Path,
    common: &CommonArguments,
) -> Result<ExitCode> {
    let package = Candidate::unscored(settings)?;
    let staged = StagedFolder::in_place_of(folder, &[DIGESTS_FILE])?;
    package.write(staged.path())?;
    staged.publish()?;
    let facts = json!({"outcome": "kept", "folder": folder});
    print(common, &format!("kept the model in {}", folder.display()), facts)?;
    Ok(ExitCode::SUCCESS)
}

/// Compares the model with one that was kept.
///
/// # Errors
/// When either cannot be used, or they have different classes.
pub(crate) fn hold_against(
    settings: &Settings,
    promotion: &PromotionConfig,
    folder: &Path,
    common: &CommonArguments,
) -> Result<ExitCode> {
    let candidate = Candidate::prepare(settings)?;
    let device = settings.params.evaluate.device;
    let answers = champion::kept(folder, &candidate, device)
        .with_context(|| format!("use the model in {}", folder.display()))?;
    let verdict = challenge(&gate(settings, promotion), &candidate, Some(answers))?;
    let (heading, code) = match verdict.outcome {
        Outcome::Promoted => ("passes", ExitCode::SUCCESS),
        Outcome::Challenger => ("does not pass", ExitCode::from(NOT_PROMOTED)),
    };
    let facts = json!({
        "outcome": verdict.outcome.name(),
        "reason": verdict.reason,
        "score": verdict.score,
    });
    print(common, &format!("the model {heading}: {}", verdict.reason), facts)?;
    Ok(code)
}
