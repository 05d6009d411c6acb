//! The model to register, and its data.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use artifact::Digest;
use classifier::calibration::{Calibration, temperature_of};
use classifier::description::ModelDescription;
use classifier::model::Model;
use dataset::{Split, ValidatedManifest};
use program::Settings;
use registered_model::Package;
use scoring::looks::{self, TestSetLooks};
use scoring::{Prediction, TestSet, predict};
use serde::Deserialize;
use serde_json::Value;

const SCORES_FILE: &str = "scores.json";

/// The scores of a model from `evaluate`: those that are used or displayed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Scores {
    model: Digest,
    data: Option<Digest>,
    pub(crate) worth: Worth,
    /// Every score, for tags.
    #[serde(flatten)]
    pub(crate) values: serde_json::Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Worth {
    pub(crate) in_words: String,
    pub(crate) verdict: String,
}

impl Worth {
    /// Whether the model is clearly better than every baseline.
    pub(crate) fn beats_baselines(&self) -> bool {
        self.verdict == "beats_all_baselines"
    }
}

/// The model that is registered, scored on the present test images.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) package: Package,
    pub(crate) scores: Scores,
    pub(crate) validated: ValidatedManifest,
    pub(crate) test: TestSet,
    pub(crate) predictions: Vec<Prediction>,
    pub(crate) classes: dataset::ClassIndices,
    /// How often the test images were scored, if known.
    pub(crate) looks: Option<TestSetLooks>,
}

impl Candidate {
    /// Only the package, for a model to keep: no image is predicted.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub(crate) fn unscored(settings: &Settings) -> Result<Package> {
        let description = ModelDescription::read(&settings.config.paths.model)
            .context("find the model; run dvc repro first")?;
        let validated = images(settings, &description)?;
        let (_, scores_file) = scores(settings, &description, &validated)?;
        let trained_on = training_images(&validated);
        Ok(Package::new(&settings.config.paths.model, scores_file, &trained_on)?)
    }

    /// Loads the model, and predicts the test images with it.
    ///
    /// # Errors
    /// When the model was trained on other images than the present ones, its scores are those of
    /// another model, or something is missing.
    pub(crate) fn prepare(settings: &Settings) -> Result<Self> {
        let paths = &settings.config.paths;
        let model = Model::load(&paths.model, settings.params.evaluate.device)
            .context("find the model; run dvc repro first")?;
        let description = model.description();
        if description.training.permute_labels {
            tracing::warn!(
                "the model was trained on shuffled labels (train.permute_labels): it is a control \
                 and not a model to use"
            );
        }
        let calibration = Calibration::read(&paths.model, description)?;
        let validated = images(settings, description)?;
        let (scores, scores_file) = scores(settings, description, &validated)?;
        let test = TestSet::of_split(&validated, model.classes())?;
        let temperature = temperature_of(calibration.as_ref());
        let predictions = predict(&model, &test.images, temperature)?;
        let package = Package::new(&paths.model, scores_file, &training_images(&validated))?;
        let (classes, looks) = (model.classes().clone(), looks::known(&test));
        Ok(Self { package, scores, validated, test, predictions, classes, looks })
    }

    /// The positions of the test images without a copy in the candidate's training and, with
    /// `others`, without one in another training either.
    pub(crate) fn unseen_images(&self, others: Option<&BTreeSet<Digest>>) -> Vec<usize> {
        let seen_groups = others.map(|others| self.groups_with(others)).unwrap_or_default();
        let known = self.validated.by_path();
        self.test.places(|image| {
            let group = known.get(image.name.as_str()).and_then(|record| record.duplicate_group);
            !image.has_copy_in_training
                && others.is_none_or(|others| !others.contains(&image.sha256))
                && group.is_none_or(|group| !seen_groups.contains(&group))
        })
    }

    /// The groups of copies that contain one of these images.
    fn groups_with(&self, images: &BTreeSet<Digest>) -> BTreeSet<dataset::GroupNumber> {
        let records = self.validated.records().iter();
        let seen = records.filter(|record| images.contains(&record.image.sha256));
        seen.filter_map(|record| record.duplicate_group).collect()
    }
}

/// The present images, which must be those that the model was trained on.
fn images(settings: &Settings, description: &ModelDescription) -> Result<ValidatedManifest> {
    let paths = &settings.config.paths;
    let validated = ValidatedManifest::read(&paths.data_validation, &paths.data_ingestion)
        .context("find the images; run validate first")?;
    let data = validated.included().digest();
    let trained_on = description.digests.data;
    ensure!(
        trained_on == data,
        "compare models on the present test images (manifest {}): the model was trained on other \
         data (manifest {}), and may have seen them; run dvc repro first",
        data.short(),
        trained_on.short()
    );
    Ok(validated)
}

/// The scores, which must be those of this model on these images; and their file.
fn scores(
    settings: &Settings,
    description: &ModelDescription,
    validated: &ValidatedManifest,
) -> Result<(Scores, Vec<u8>)> {
    let (scores, file) = read_scores(settings)?;
    let data = validated.included().digest();
    if scores.model != description.digests.weights || scores.data != Some(data) {
        bail!(
            "register the model with its scores: {} is of another model or other images; run \
             evaluate first",
            settings.config.paths.evaluation.join(SCORES_FILE).display()
        );
    }
    Ok((scores, file))
}

fn read_scores(settings: &Settings) -> Result<(Scores, Vec<u8>)> {
    let path = settings.config.paths.evaluation.join(SCORES_FILE);
    let bytes = artifact::read_bytes(&path).context("find the scores; run evaluate first")?;
    let scores = serde_json::from_slice(&bytes)
        .with_context(|| format!("read {}; run evaluate again", path.display()))?;
    Ok((scores, bytes))
}

/// The digests of the training images.
fn training_images(validated: &ValidatedManifest) -> BTreeSet<Digest> {
    let included = validated.records().iter().filter(|record| record.excluded.is_none());
    let training = included.filter(|record| record.image.split == Split::Train);
    training.map(|record| record.image.sha256).collect()
}
