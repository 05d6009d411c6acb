//! A served model: the names of its answers, and the checks on them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use artifact::Digest;
use classifier::calibration::{Calibration, temperature_of};
use classifier::description::ModelDescription;
use classifier::foreign::FeatureReference;
use classifier::model::{BatchSize, Input, Model};
use classifier::registered::Registered;
use config::DeviceChoice;
use dataset::{ClassIndex, ClassIndices};
use imaging::GREY_BINS;
use jiff::Timestamp;
use metrics::{most_probable, softmax_with_temperature};
use thiserror::Error;

use crate::answer::{Checks, FeatureCheck, GreyCheck, ModelName};

/// Everything about a model except its network, which only the model thread may use.
#[derive(Debug)]
pub(crate) struct ServedModel {
    pub(crate) name: ModelName,
    pub(crate) description: ModelDescription,
    pub(crate) classes: ClassIndices,
    pub(crate) calibration: Option<Calibration>,
    features: Option<FeatureReference>,
    /// `scores.json`, if it is of these weights.
    pub(crate) scores: Option<serde_json::Value>,
    /// Device and number format, for people.
    pub(crate) backend: String,
    pub(crate) loaded_at: Timestamp,
}

/// The model's answer is not a number: its weights are damaged, or overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the model's answer is not a number")]
pub(crate) struct NotANumber;

/// The folder of a model, and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelSource<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) evaluation: &'a Path,
    pub(crate) device: DeviceChoice,
    pub(crate) name: &'a str,
}

impl ServedModel {
    /// Loads a model folder, checks every digest, and predicts one blank image, so that libtorch's
    /// preparation does not delay the first request.
    ///
    /// # Errors
    /// When something is missing, has changed, or belongs to another model.
    pub(crate) fn load(source: ModelSource<'_>) -> Result<(Self, Model)> {
        let folder = source.folder;
        if !folder.join(ModelDescription::FILE).exists() {
            bail!(
                "load a model from {}: it holds no {}; `make repro` makes one, or name another \
                 folder with --model",
                folder.display(),
                ModelDescription::FILE
            );
        }
        let context = || format!("load the model in {}", folder.display());
        let model = Model::load(folder, source.device).with_context(context)?;
        let description = model.description().clone();
        let calibration = Calibration::read(folder, &description).with_context(context)?;
        let features = calibration.as_ref().map(|it| it.read_features(folder));
        let features = features.transpose().with_context(context)?;
        let blank = vec![0.0; model.input().values()];
        let blank =
            model.output(Input::Images(&[&blank]), BatchSize::AsGiven).with_context(context)?;
        let seen = blank.first().map_or(0, |output| output.pooled.len());
        if features.as_ref().is_some_and(|features| features.channels() != seen) {
            bail!(
                "use the calibration in {}: it compares other features than the {seen} of the \
                 network; calibrate again",
                folder.display()
            );
        }
        if blank.iter().flat_map(|output| &output.logits).any(|logit| !logit.is_finite()) {
            bail!(
                "use the model in {}: its answer to a blank image is not a number; train again \
                 with a lower learning rate, or in fp32",
                folder.display()
            );
        }
        let registered = Registered::read(folder, &description).with_context(context)?;
        let name = ModelName {
            version: registered.as_ref().map(|registered| registered.version.to_string()),
            name: registered.map_or_else(|| source.name.to_owned(), |registered| registered.name),
            digest: description.digests.weights.to_string(),
        };
        let served = Self {
            name,
            classes: model.classes().clone(),
            calibration,
            features,
            scores: scores_of(source.evaluation, &description),
            backend: model.backend().to_string(),
            loaded_at: Timestamp::now(),
            description,
        };
        Ok((served, model))
    }

    /// The most probable class, and calibrated probabilities of all in the model's order; they add
    /// up to 1.
    ///
    /// # Errors
    /// When a logit is not a finite number.
    pub(crate) fn probabilities(
        &self,
        logits: &[f32],
    ) -> Result<(ClassIndex, Vec<f64>), NotANumber> {
        let logits: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(NotANumber);
        }
        let temperature = temperature_of(self.calibration.as_ref());
        let probabilities = softmax_with_temperature(&logits, temperature);
        let class = most_probable(&probabilities).ok_or(NotANumber)?;
        Ok((class, probabilities))
    }

    /// Whether an image is of the kind that the model was trained on; `None` if the model was never
    /// calibrated.
    pub(crate) fn check(&self, histogram: &[f64; GREY_BINS], pooled: &[f32]) -> Option<Checks> {
        let foreign = &self.calibration.as_ref()?.foreign;
        let features = self.features.as_ref()?;
        let correlation = foreign.histogram.correlation(histogram);
        let distance = features.distance(pooled);
        let grey_histogram = GreyCheck {
            correlation,
            limit: foreign.histogram.correlation_limit,
            passed: correlation >= foreign.histogram.correlation_limit,
        };
        let features = FeatureCheck {
            distance,
            limit: foreign.feature_distance_limit,
            passed: distance <= foreign.feature_distance_limit,
        };
        let accepted = grey_histogram.passed && features.passed;
        Some(Checks { accepted, grey_histogram, features })
    }
}

/// The digest of the weights in a model folder, if there are any.
pub(crate) fn weights_in(folder: &Path) -> Option<Digest> {
    ModelDescription::read(folder).ok().map(|description| description.digests.weights)
}

/// The scores that `evaluate` gave these weights. Other scores, or none, are not an error: a model
/// may come from elsewhere.
fn scores_of(evaluation: &Path, description: &ModelDescription) -> Option<serde_json::Value> {
    let scores: serde_json::Value = artifact::read_json(&evaluation.join("scores.json")).ok()?;
    let is_of_these = scores.get("model")?.as_str()? == description.digests.weights.to_string();
    is_of_these.then_some(scores)
}
