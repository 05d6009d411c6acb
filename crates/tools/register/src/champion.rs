//! The present champion, on the same test images.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use artifact::Digest;
use classifier::calibration::{Calibration, temperature_of};
use classifier::model::Model;
use config::DeviceChoice;
use mlflow::{Client, ModelVersion};
use scoring::{Prediction, predict};

use crate::candidate::Candidate;
use crate::gate::ChampionName;

/// The champion's answers on the images that allow a comparison.
#[derive(Debug)]
pub(crate) struct ChampionAnswers {
    pub(crate) name: ChampionName,
    /// The positions of these images in the test set.
    pub(crate) places: Vec<usize>,
    /// An answer for each of them.
    pub(crate) predictions: Vec<Prediction>,
}

/// Fetches the champion and predicts the test images without a copy in either training.
///
/// # Errors
/// When it cannot be fetched or run, or has other classes.
pub(crate) fn fetched(
    client: &Client,
    version: &ModelVersion,
    candidate: &Candidate,
    device: DeviceChoice,
) -> Result<ChampionAnswers> {
    let number = version.version;
    let fetch = || format!("fetch the champion, version {number} of {}", version.name);
    let folder = tempfile::tempdir().context("make a folder for the champion")?;
    let trained = registered_model::training_images(client, version).with_context(fetch)?;
    registered_model::fetch(client, version, folder.path()).with_context(fetch)?;
    let name = ChampionName::Version(number);
    answers(name, folder.path(), &trained, candidate, device)
}

/// As [`fetched`], for a model that was kept in a folder.
pub(crate) fn kept(
    folder: &Path,
    candidate: &Candidate,
    device: DeviceChoice,
) -> Result<ChampionAnswers> {
    let (model, trained) = registered_model::kept(folder)?;
    answers(ChampionName::Kept, &model, &trained, candidate, device)
}

/// The predictions of the model in a folder for the images that neither it nor the candidate was
/// trained on.
fn answers(
    name: ChampionName,
    folder: &Path,
    trained: &BTreeSet<Digest>,
    candidate: &Candidate,
    device: DeviceChoice,
) -> Result<ChampionAnswers> {
    let model = Model::load(folder, device).with_context(|| format!("load {name}"))?;
    ensure!(
        model.classes() == &candidate.classes,
        "compare the model with {name}: its classes are {}, those of the model {}; register models \
         of other classes under another name (--name)",
        model.classes().names().join(", "),
        candidate.classes.names().join(", ")
    );
    let calibration = Calibration::read(folder, model.description())?;
    let places = candidate.unseen_images(Some(trained));
    let images = candidate.test.select(&places).images;
    let predictions = predict(&model, &images, temperature_of(calibration.as_ref()))?;
    Ok(ChampionAnswers { name, places, predictions })
}
