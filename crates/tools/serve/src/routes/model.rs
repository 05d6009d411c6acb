//! The served model.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use classifier::description::ModelDescription;
use classifier::ensemble::Member;
use serde::Serialize;
use services::{ForeignImages, ServeConfig, StoreImages, TrainingPlace};
use utoipa::ToSchema;

use crate::answer::ModelName;
use crate::error::{ErrorAnswer, Failure};
use crate::model::host::ModelHost;
use crate::model::served::ServedModel;
use crate::model::swap::ModelSwap;

/// The model that answers, and what the server does with images.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelAnswer {
    #[serde(flatten)]
    name: ModelName,
    /// In the order of probabilities.
    classes: Vec<String>,
    /// Classes that count as the finding that is looked for.
    positive: Vec<String>,
    /// Height and width that the model sees, in pixels.
    image_size: u32,
    /// `fp32` or `bf16`
    precision: String,
    /// As `cpu with 2 threads, fp32`
    device: String,
    trained: Trained,
    /// The models that answer as one; empty for a single model. `trained` is of the first.
    ensemble: Vec<MemberAnswer>,
    calibration: Option<CalibrationAnswer>,
    /// `scores.json` of `evaluate`, where it is of this model.
    scores: Option<serde_json::Value>,
    loaded_at: String,
    /// The model before, for going back.
    previous: Option<ModelName>,
    /// `refuse` or `flag`
    foreign_images: &'static str,
    /// `never`, `feedback` or `all`
    store_images: &'static str,
    retention_days: u32,
    /// Whether it is the registry's champion, whichever that is (`serve.follow`).
    follows_registry: bool,
    /// Where a training runs: `off`, `here` or `job`
    training: &'static str,
    notice: &'static str,
}

/// How the model was trained.
#[derive(Debug, Serialize, ToSchema)]
struct Trained {
    run: String,
    checkpoint: String,
    epoch: u32,
    valid_accuracy: f64,
    valid_loss: f64,
}

/// A model of an ensemble.
#[derive(Debug, Serialize, ToSchema)]
struct MemberAnswer {
    name: String,
    /// As `vgg16`
    architecture: String,
    /// Its share of the mean of the probabilities; those of all add up to 1.
    weight: f64,
    /// How it sees the image flipped: `none`, `horizontal`, `vertical` or `both`
    flip: String,
}

/// The calibration.
#[derive(Debug, Serialize, ToSchema)]
struct CalibrationAnswer {
    /// What logits are divided by.
    temperature: f64,
    expected_calibration_error: CalibrationErrors,
}

/// Expected calibration error on the images that the temperature was fitted on.
#[derive(Debug, Serialize, ToSchema)]
struct CalibrationErrors {
    before: Option<f64>,
    after: Option<f64>,
}

/// The model that answers
#[utoipa::path(get, path = "/v1/model", tag = "model",
    responses((status = 200, body = ModelAnswer)), security((), ("key" = [])))]
pub(crate) async fn model(
    State(host): State<Arc<ModelHost>>,
    State(settings): State<Arc<ServeConfig>>,
) -> Json<ModelAnswer> {
    Json(describe(&host, &settings))
}

/// Load the model folder again
///
/// From now on serves the model that `select` or `dvc pull` wrote; no request is lost. A server that
/// follows the registry looks there instead.
#[utoipa::path(post, path = "/v1/model/reload", tag = "model",
    responses((status = 200, body = ModelAnswer), (status = 409, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn reload(
    State(swap): State<ModelSwap>,
    State(settings): State<Arc<ServeConfig>>,
) -> Result<Json<ModelAnswer>, Failure> {
    swap.reload_now().await?;
    Ok(Json(describe(&swap.host, &settings)))
}

/// Go back to the model before
#[utoipa::path(post, path = "/v1/model/rollback", tag = "model",
    responses((status = 200, body = ModelAnswer), (status = 409, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn rollback(
    State(swap): State<ModelSwap>,
    State(settings): State<Arc<ServeConfig>>,
) -> Result<Json<ModelAnswer>, Failure> {
    swap.rollback().await?;
    Ok(Json(describe(&swap.host, &settings)))
}

/// The present answer of `GET /v1/model`.
pub(crate) fn describe(host: &ModelHost, settings: &ServeConfig) -> ModelAnswer {
    let served = host.shelf.current();
    let description = &served.description;
    let calibration = served.calibration.as_ref();
    let positive = calibration.and_then(|it| it.positive.as_ref());
    ModelAnswer {
        name: served.name.clone(),
        classes: served.classes.names().to_vec(),
        positive: positive.map_or_else(Vec::new, |positive| positive.classes.clone()),
        image_size: description.preprocessing.image_size,
        precision: description.precision.to_string(),
        device: served.backend.clone(),
        trained: trained(&served),
        ensemble: description.ensemble.iter().map(MemberAnswer::of).collect(),
        calibration: calibration.map(|calibration| CalibrationAnswer {
            temperature: calibration.temperature.temperature.get(),
            expected_calibration_error: CalibrationErrors {
                before: calibration.expected_calibration_error.before,
                after: calibration.expected_calibration_error.after,
            },
        }),
        scores: served.scores.clone(),
        loaded_at: served.loaded_at.to_string(),
        previous: host.shelf.previous().map(|previous| previous.name.clone()),
        foreign_images: match settings.foreign_images {
            ForeignImages::Refuse => "refuse",
            ForeignImages::Flag => "flag",
        },
        store_images: match settings.store_images {
            StoreImages::Never => "never",
            StoreImages::Feedback => "feedback",
            StoreImages::All => "all",
        },
        retention_days: settings.retention_days,
        follows_registry: settings.follow.is_some(),
        training: match settings.training {
            TrainingPlace::Off => "off",
            TrainingPlace::Here => "here",
            TrainingPlace::Job => "job",
        },
        notice: ModelDescription::NOTICE,
    }
}

impl MemberAnswer {
    fn of(member: &Member) -> Self {
        Self {
            name: member.name.clone(),
            architecture: member.model.architecture.base.name.to_owned(),
            weight: member.weight,
            flip: member.flip.to_string(),
        }
    }
}

fn trained(served: &ServedModel) -> Trained {
    let source = &served.description.source;
    Trained {
        run: source.run.to_string(),
        checkpoint: source.checkpoint.clone(),
        epoch: source.epoch,
        valid_accuracy: source.valid_accuracy,
        valid_loss: source.valid_loss,
    }
}
