//! The server's answers.

use std::time::Duration;

use artifact::Digest;
use imaging::Picture;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One image of a request: the model's prediction, or the error.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Item {
    /// The prediction.
    Prediction {
        /// The file's name, if the request gave it.
        file: Option<String>,
        prediction: Box<Prediction>,
    },
    /// The error.
    Error {
        /// The file's name, if the request gave it.
        file: Option<String>,
        error: ErrorBody,
    },
}

/// The answer to `POST /v1/predict`: an item for each image, in order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Predictions {
    pub(crate) predictions: Vec<Item>,
}

/// The prediction for one image.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Prediction {
    /// By which it is corrected; ids grow with time.
    pub(crate) id: Uuid,
    /// RFC 3339, UTC.
    pub(crate) created_at: String,
    /// The file's name, if the request gave it.
    pub(crate) file: Option<String>,
    pub(crate) model: ModelName,
    pub(crate) image: Image,
    /// The most probable class.
    pub(crate) class: String,
    /// Its calibrated probability.
    pub(crate) confidence: f64,
    /// Of every class, in the model's order; they add up to 1.
    pub(crate) probabilities: Vec<ClassProbability>,
    /// The finding of interest, against everything else.
    pub(crate) positive: Option<Positive>,
    /// Whether the image is of the kind the model was trained on; null without a calibration.
    pub(crate) checks: Option<Checks>,
    /// Where the model looked, if requested and not empty.
    pub(crate) explanation: Option<Explanation>,
    pub(crate) timings_ms: Timings,
    /// Whether the prediction is stored, so that it can be corrected. False only while the database
    /// cannot be used and `serve.store` is `best_effort`.
    pub(crate) stored: bool,
    /// What the answer must not be used for.
    pub(crate) notice: &'static str,
}

/// Which model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ModelName {
    pub(crate) name: String,
    /// Its version in the registry, where it came from one.
    pub(crate) version: Option<String>,
    /// SHA-256 of its weights.
    pub(crate) digest: String,
}

/// The image as it came.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Image {
    /// Of the file's bytes.
    #[schema(value_type = String)]
    pub(crate) sha256: Digest,
    /// `png`, `jpeg`, `dicom`, …
    pub(crate) format: String,
    /// Pixels.
    pub(crate) width: u32,
    /// Pixels.
    pub(crate) height: u32,
    /// As Pillow calls it: `L`, `RGB`, …
    pub(crate) colour_mode: String,
    /// Of a CT scan, the Hounsfield units that were shown.
    pub(crate) window: Option<WindowLevel>,
}

/// Hounsfield units from black to white.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct WindowLevel {
    pub(crate) centre: f64,
    pub(crate) width: f64,
}

/// A class and how probable it is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ClassProbability {
    pub(crate) class: String,
    pub(crate) probability: f64,
}

/// The finding of interest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Positive {
    /// Classes that count as the finding.
    pub(crate) classes: Vec<String>,
    /// The sum of their probabilities.
    pub(crate) probability: f64,
    pub(crate) operating_points: Vec<OperatingPoint>,
}

/// A threshold on that probability, found on images that the model was not trained on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OperatingPoint {
    /// The share of images without the finding that stay below the threshold.
    pub(crate) specificity: f64,
    pub(crate) threshold: f64,
    /// The share of images with the finding that reach it.
    pub(crate) sensitivity: f64,
    /// Whether this image does.
    pub(crate) reached: bool,
}

/// Whether an image is of the kind the model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Checks {
    /// Whether every check passed.
    pub(crate) accepted: bool,
    pub(crate) grey_histogram: GreyCheck,
    pub(crate) features: FeatureCheck,
}

/// How its greys are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct GreyCheck {
    /// With the mean of the class it is most like, in [-1, 1].
    pub(crate) correlation: f64,
    /// The least that is accepted.
    pub(crate) limit: f64,
    pub(crate) passed: bool,
}

/// What the network sees in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct FeatureCheck {
    /// Mahalanobis' distance from the training images; about 1 is usual.
    pub(crate) distance: f64,
    /// The most that is accepted.
    pub(crate) limit: f64,
    pub(crate) passed: bool,
}

/// Where the model looked: Grad-CAM of the predicted class.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Explanation {
    pub(crate) class: String,
    /// A data URL: the heat alone, clear where it is cold, to be laid over the image.
    pub(crate) png: String,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Timings {
    /// Decoding and resizing.
    pub(crate) decode: f64,
    /// Until the model's turn came.
    pub(crate) wait: f64,
    /// The model, for the batch that the image was part of.
    pub(crate) inference: f64,
    /// From the whole request having arrived.
    pub(crate) total: f64,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// For programs.
    pub(crate) code: &'static str,
    /// For people: what was wrong, and what to do.
    pub(crate) message: String,
    /// The request, as in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// Of a foreign image, the checks it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checks: Option<Checks>,
    /// Of a foreign image, the id under which the refusal is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Uuid>,
}

impl Image {
    pub(crate) fn of(sha256: Digest, picture: &Picture) -> Self {
        Self {
            sha256,
            format: picture.format().extension().to_owned(),
            width: picture.width(),
            height: picture.height(),
            colour_mode: picture.colour_mode().to_string(),
            window: picture
                .window()
                .map(|window| WindowLevel { centre: window.centre(), width: window.width() }),
        }
    }
}

/// Milliseconds with three decimals.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
