//! The model's files on the server: a logged model of MLflow 3.

use anyhow::{Context, Result};
use classifier::description::ModelDescription;
use mlflow::{
    Client, ExperimentId, Key, LoggedModel, LoggedModelStatus, Mark, NewLoggedModel, Param, RunId,
    Tag,
};
use registered_model::{Content, DIGESTS_TAG, Identity, Package, PackageFile};

use crate::candidate::Candidate;
use crate::tags;

/// Uploads the model, unless the server has the same files, and shows it among the outputs of the
/// run that trained it.
///
/// # Errors
/// When the server refuses or cannot be reached. A logged model with missing files is marked as
/// failed.
pub(crate) fn upload(
    client: &Client,
    experiment: &ExperimentId,
    run: Option<&RunId>,
    candidate: &Candidate,
) -> Result<LoggedModel> {
    let package = &candidate.package;
    let known = find(client, experiment, package)?;
    if let Some(known) = known {
        tracing::info!("the server has the model's files already, as {}", known.id);
        return Ok(known);
    }
    let model = client.create_logged_model(&NewLoggedModel {
        experiment: experiment.clone(),
        name: format!("model-{}", package.description().source.run),
        model_type: Some("classifier".into()),
        source_run: run.cloned(),
        params: params(package.description()),
        tags: logged_model_tags(candidate),
        mark: Mark::new(),
    })?;
    let uploaded = upload_files(client, &model, package, Identity { model: &model.id, run });
    if let Err(error) = uploaded {
        // The first failure is the one to report; a failure to mark the model adds nothing.
        let _ = client.finalise_logged_model(&model.id, LoggedModelStatus::UploadFailed);
        return Err(error);
    }
    client.finalise_logged_model(&model.id, LoggedModelStatus::Ready)?;
    if let Some(run) = run {
        client.link_logged_model(run, &model.id, i64::from(package.description().source.epoch))?;
        client.log_model_scores(run, &model.id, &scores(candidate))?;
    }
    Ok(model)
}

/// A complete logged model with the same files.
fn find(
    client: &Client,
    experiment: &ExperimentId,
    package: &Package,
) -> Result<Option<LoggedModel>> {
    let filter = format!("tags.`{DIGESTS_TAG}` = '{}'", package.digest());
    let found = client.search_logged_models(experiment, &filter)?;
    Ok(found.into_iter().find(|model| model.status == LoggedModelStatus::Ready))
}

fn upload_files(
    client: &Client,
    model: &LoggedModel,
    package: &Package,
    identity: Identity<'_>,
) -> Result<()> {
    let artifacts = client.model_artifacts(model)?;
    let mlmodel = package.mlmodel(identity);
    let files: Vec<&PackageFile> = package.files().iter().chain([&mlmodel]).collect();
    let progress = terminal::items_bar(files.len() as u64, "files");
    for PackageFile { path, content } in files {
        match content {
            Content::File(file) => artifacts.upload(path, file),
            Content::Bytes(bytes) => artifacts.upload_bytes(path, bytes),
        }
        .with_context(|| format!("upload {path}"))?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(())
}

fn params(description: &ModelDescription) -> Vec<Param> {
    let architecture = &description.architecture;
    [
        ("architecture", architecture.base.name.to_owned()),
        ("classes", architecture.classes.join(", ")),
        ("image_size", description.preprocessing.image_size.to_string()),
        ("head", serde_json::json!(architecture.head).to_string()),
        ("freeze", serde_json::json!(architecture.freeze).to_string()),
        ("precision", serde_json::json!(description.precision).to_string()),
        ("epoch", description.source.epoch.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| Param::new(Key::cleaned(name), value.replace('"', "")))
    .collect()
}

fn logged_model_tags(candidate: &Candidate) -> Vec<Tag> {
    let package = &candidate.package;
    vec![
        tags::tag(DIGESTS_TAG, &package.digest()),
        tags::tag(tags::MODEL_DIGEST, &package.description().digests.weights),
        tags::tag("training", &package.description().source.run),
        tags::tag("worth", &candidate.scores.worth.in_words),
        tags::tag("notice", &package.description().notice),
    ]
}

/// The scores that are numbers, as `test/accuracy`.
fn scores(candidate: &Candidate) -> Vec<(Key, f64)> {
    let values = candidate.scores.values.iter();
    values
        .filter_map(|(name, value)| Some((Key::cleaned(&format!("test/{name}")), value.as_f64()?)))
        .collect()
}
