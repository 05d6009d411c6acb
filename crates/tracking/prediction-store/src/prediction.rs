use artifact::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Feedback, PredictionId};

/// A prediction as it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Made with [`PredictionId::new`] before it is recorded.
    pub id: PredictionId,
    /// When it was made.
    pub created_at: Timestamp,
    /// The name of the key of the request; `None` if no keys are configured.
    pub key_name: Option<String>,
    /// The file's name as the caller gave it; `None` if there was none, or after it was removed.
    pub file: Option<String>,
    /// The model that made it.
    pub model: ModelIdentity,
    /// The image that was sent.
    pub image: ImageFacts,
    /// The predicted class; `None` if a foreign image was refused.
    pub class: Option<String>,
    /// Its probability, 0 to 1; `None` if a foreign image was refused.
    pub confidence: Option<f64>,
    /// Every class with its probability, in class order; none if a foreign image was refused.
    pub probabilities: Vec<ClassProbability>,
    /// Whether the image passed the checks, or there were none.
    pub accepted: bool,
    /// The correlation of the grey histogram with the training images', -1 to 1.
    pub grey_correlation: Option<f64>,
    /// The distance from the training images in the model's feature space.
    pub feature_distance: Option<f64>,
    /// How long it took.
    pub timings_ms: TimingsMs,
}

/// The identity of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// Its name in the registry.
    pub name: String,
    /// Its version in the registry, if it has one.
    pub version: Option<String>,
    /// SHA-256 of its weights.
    pub digest: Digest,
}

/// The image that was sent, without its pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// SHA-256 of the bytes that were sent.
    pub sha256: Digest,
    /// The file format: `png`, `jpeg`, `dicom`, …
    pub format: String,
    /// Columns of pixels.
    pub width: u32,
    /// Rows of pixels.
    pub height: u32,
    /// By Pillow's names: `L`, `RGB`, …
    pub colour_mode: String,
    /// The intensity window of a DICOM image.
    pub window: Option<IntensityWindow>,
    /// Whether the image store has it. For later changes see
    /// [`PredictionStore::image_was_stored`](crate::PredictionStore::image_was_stored).
    pub stored: bool,
}

/// The range of Hounsfield units displayed, from black to white.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IntensityWindow {
    /// The middle, in Hounsfield units.
    pub centre: f64,
    /// From black to white, in Hounsfield units.
    pub width: f64,
}

/// The time of each step, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimingsMs {
    /// Decoding and resizing.
    pub decode: f64,
    /// In the queue for the model.
    pub wait: f64,
    /// In the model.
    pub inference: f64,
    /// From the first byte of the body to the answer.
    pub total: f64,
}

/// One class's probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassProbability {
    /// The class.
    pub class: String,
    /// 0 to 1.
    pub probability: f64,
}

/// A prediction with its last feedback.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictionRow {
    /// The prediction.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// The last feedback on it.
    pub feedback: Option<Feedback>,
}
