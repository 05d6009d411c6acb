//! The calibration of a model: `model/calibration.json` and `model/foreign.safetensors`. Written by
//! the stage `calibrate`, read by every program that predicts.

use std::path::Path;

use artifact::Digest;
use dataset::ClassIndices;
use metrics::{NoOperatingPoint, OperatingPoint, Temperature, TemperatureFit};
use serde::{Deserialize, Serialize};

use crate::description::ModelDescription;
use crate::drift::DriftReference;
use crate::foreign::{FeatureReference, HistogramReference};
use crate::seal::{check_seal, seal_of};
use crate::{ClassifierError, Result};

/// `calibration.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of this file's format.
    pub format: u32,
    /// What the model must not be used for.
    pub notice: String,
    /// The digest of the weights that it belongs to.
    pub model: Digest,
    /// The images that it was made from.
    pub images: CalibrationImages,
    /// The divisor of the logits before the softmax, and how it was found.
    pub temperature: TemperatureFit,
    /// Expected calibration error on those images, before and after; after is optimistic, since
    /// the temperature was chosen on them.
    pub expected_calibration_error: BeforeAndAfter,
    /// Classes that count as the finding, and thresholds on the sum of their probabilities; none if
    /// `data.positive` names no class.
    pub positive: Option<PositiveClasses>,
    /// The checks for foreign images.
    pub foreign: ForeignChecks,
    /// The images as a reference for later ones; none in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftReference>,
    /// Digest of all of the above, such as the limits, so that a change is noticed; none in files
    /// of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Digest>,
}

/// The images that a calibration was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationImages {
    /// Validation images without a copy in training.
    pub validation: usize,
    /// Validation images that were left out, because training has a copy of them.
    pub left_out_copies: usize,
    /// Training images, each predicted by a head that was not trained on it.
    pub out_of_fold: usize,
    /// Why these images were used.
    pub reason: String,
}

/// A quantity before and after calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeforeAndAfter {
    /// With the temperature 1.
    pub before: Option<f64>,
    /// With the fitted temperature.
    pub after: Option<f64>,
}

/// Classes that together count as the finding of interest, against all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositiveClasses {
    /// Their names.
    pub classes: Vec<String>,
    /// A threshold for each requested specificity.
    pub operating_points: Vec<OperatingPointOutcome>,
}

/// A threshold, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OperatingPointOutcome {
    /// The threshold and its sensitivity and specificity.
    Found(OperatingPoint),
    /// Why there is none.
    Missing(NoOperatingPoint),
}

/// The checks for foreign images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignChecks {
    /// The check of its greys.
    pub histogram: HistogramReference,
    /// The check of the model's own features: the limit on the distance.
    pub feature_distance_limit: f64,
    /// Share of held-out images that each check accepts by the choice of its limit.
    pub acceptance: f64,
    /// Images that were held out in turn to find the limits.
    pub held_out: usize,
    /// The digest of `foreign.safetensors`.
    pub features: Digest,
}

impl Calibration {
    /// The format this version writes and reads.
    pub const FORMAT: u32 = 1;
    /// The file's name in the model folder.
    pub const FILE: &str = "calibration.json";
    /// The name of the file with the feature statistics.
    pub const FEATURES_FILE: &str = "foreign.safetensors";

    /// Writes both files into the model folder; fills in the digest of the second, and the seal.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, folder: &Path, features: &FeatureReference) -> Result<()> {
        self.foreign.features = features.write(&folder.join(Self::FEATURES_FILE))?;
        self.seal = None;
        self.seal = Some(seal_of(self));
        Ok(artifact::write_json(&folder.join(Self::FILE), self)?)
    }

    /// Reads `calibration.json` of a model, or `None` if the model was never calibrated.
    ///
    /// # Errors
    /// When it exists but is damaged, changed, of another format, or of another model.
    pub fn read(folder: &Path, model: &ModelDescription) -> Result<Option<Self>> {
        let path = folder.join(Self::FILE);
        if !path.exists() {
            return Ok(None);
        }
        let calibration: Self = artifact::read_json(&path)?;
        if calibration.format != Self::FORMAT {
            let (found, known) = (calibration.format, Self::FORMAT);
            return Err(ClassifierError::Format { path, found, known });
        }
        if calibration.model != model.digests.weights {
            let (recorded, found) = (calibration.model, model.digests.weights);
            return Err(ClassifierError::OtherModel { path, recorded, found });
        }
        check_calibration(&path, &calibration, model)?;
        Ok(Some(calibration))
    }

    /// Reads the feature statistics that belong to this calibration.
    ///
    /// # Errors
    /// When the file is missing, damaged or another one.
    pub fn read_features(&self, folder: &Path) -> Result<FeatureReference> {
        FeatureReference::read(&folder.join(Self::FEATURES_FILE), self.foreign.features)
    }
}

impl PositiveClasses {
    /// The indices of the positive classes.
    ///
    /// # Errors
    /// When one is not a class of the model.
    pub fn indices(&self, classes: &ClassIndices) -> Result<Vec<dataset::ClassIndex>> {
        Ok(self
            .classes
            .iter()
            .map(|class| classes.index(class))
            .collect::<std::result::Result<_, _>>()?)
    }
}

/// The temperature of a model that may not have been calibrated: then 1.
pub fn temperature_of(calibration: Option<&Calibration>) -> Temperature {
    calibration.map_or(Temperature::ONE, |calibration| calibration.temperature.temperature)
}

/// Checks `calibration.json` against its model.
fn check_calibration(
    path: &Path,
    calibration: &Calibration,
    model: &ModelDescription,
) -> Result<()> {
    let seal = calibration.seal;
    check_seal(path, seal, &Calibration { seal: None, ..calibration.clone() })?;
    let require = |is_so: bool, reason: &str| {
        let (path, reason) = (path.to_owned(), reason.to_owned());
        if is_so { Ok(()) } else { Err(ClassifierError::Description { path, reason }) }
    };
    let foreign = &calibration.foreign;
    let correlation = foreign.histogram.correlation_limit;
    require(
        (-1.0..=1.0).contains(&correlation),
        "foreign.histogram.correlation_limit is not between -1 and 1",
    )?;
    require(
        foreign.feature_distance_limit.is_finite() && foreign.feature_distance_limit > 0.0,
        "foreign.feature_distance_limit is not a number above 0",
    )?;
    let classes = model.architecture.class_indices();
    let is_usable = |(class, histogram): (&String, &Vec<f64>)| {
        classes.index(class).is_ok()
            && histogram.len() == imaging::GREY_BINS
            && histogram.iter().all(|share| (0.0..=1.0).contains(share))
    };
    require(
        !foreign.histogram.classes.is_empty() && foreign.histogram.classes.iter().all(is_usable),
        "foreign.histogram is not of this model's classes, or not of shares",
    )?;
    require(
        calibration.drift.as_ref().is_none_or(DriftReference::is_usable),
        "drift holds a value that is no number",
    )?;
    if let Some(positive) = &calibration.positive {
        positive.indices(&classes)?;
        let is_share = |outcome: &OperatingPointOutcome| match outcome {
            OperatingPointOutcome::Found(point) => {
                // The strictest threshold is above every probability.
                point.threshold.is_finite() && point.threshold >= 0.0
            }
            OperatingPointOutcome::Missing(_) => true,
        };
        require(
            positive.operating_points.iter().all(is_share),
            "a threshold of an operating point is no probability",
        )?;
    }
    Ok(())
}
