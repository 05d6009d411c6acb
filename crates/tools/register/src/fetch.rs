//! Puts a registered model in place of the pipeline's own.

use std::process::ExitCode;

use anyhow::{Result, bail};
use classifier::calibration::Calibration;
use classifier::model::Model;
use config::DeviceChoice;
use mlflow::{Client, ModelReference};
use program::{CommonArguments, Settings, UsageError};
use serde_json::json;

use crate::outcome::print;

/// Downloads a version of a registered model, checks it, and makes it the model.
///
/// # Errors
/// When there is no such version, it was not registered by this project, a file is not the
/// registered one, the server cannot be reached, or the folder cannot be written. The model folder
/// is then unchanged.
pub(crate) fn fetch(
    reference: &ModelReference,
    settings: &Settings,
    common: &CommonArguments,
) -> Result<ExitCode> {
    let server = tracking::demanded_server(&settings.config.tracking, mlflow::environment)
        .map_err(|error| UsageError(error.to_string()))?;
    // A server that is down is reported at once, and not after all the retries of a first request.
    Client::without_retries(&server)?.health()?;
    let client = Client::new(&server)?;
    let Some(version) = client.model_version(reference)? else {
        bail!("find {reference} at {}: there is no such model, version or alias", client.server());
    };

    let folder = &settings.config.paths.model;
    let staged = classifier::model_folder::staged_in_place_of(folder)?;
    let fetched = registered_model::fetch_model_folder(&client, &version, staged.path())?;
    // An unusable model must not replace a usable one.
    let model = Model::load(staged.path(), DeviceChoice::Cpu)?;
    Calibration::read(staged.path(), model.description())?;
    staged.publish()?;
    let text = format!(
        "fetched {} version {}: {} files, each the one that was registered\nwrote {}",
        version.name,
        version.version,
        fetched.files.len(),
        folder.display()
    );
    let facts = json!({
        "outcome": "fetched",
        "model": version.name.to_string(),
        "version": version.version,
        "folder": folder,
    });
    print(common, &text, facts)?;
    Ok(ExitCode::SUCCESS)
}
