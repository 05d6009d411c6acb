//! Corrections.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use prediction_store::{ClassChange, FeedbackSummary, NewFeedback};
use serde::{Deserialize, Serialize};
use services::{ServeConfig, StoreImages};
use utoipa::ToSchema;

use crate::error::{Code, ErrorAnswer, Failure};
use crate::guard::keys::Caller;
use crate::intake::Intake;
use crate::model::host::ModelHost;
use crate::own_task::OwnTasks;
use crate::records::Records;
use crate::training::Training;
use crate::upload::{decode_base64, whole};

/// The longest note, in characters.
const LONGEST_NOTE: usize = 2000;

/// The parts needed to store a correction, and to report whether a training will use it.
#[derive(Debug, Clone)]
pub(crate) struct Corrector {
    pub(crate) settings: Arc<ServeConfig>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) host: Arc<ModelHost>,
    pub(crate) records: Arc<Records>,
    pub(crate) training: Arc<Training>,
    pub(crate) own_tasks: Arc<OwnTasks>,
}

/// What is right about a prediction.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedbackRequest {
    /// `id` of the prediction.
    #[schema(format = Uuid, pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    prediction_id: String,
    /// The right class, one of the model's.
    class: String,
    /// Anything else worth knowing, at most 2000 characters. No patient's name belongs here.
    #[schema(max_length = 2000)]
    note: Option<String>,
    /// The image again, base64, where images of corrections are kept and the prediction was long
    /// ago.
    image: Option<String>,
}

/// A correction that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeedbackAnswer {
    id: String,
    created_at: String,
    /// Whether the model had said the same.
    right: bool,
    /// Whether the next training learns from it.
    trains: bool,
    /// What keeps a correction from being learnt from.
    missing: Option<&'static str>,
}

/// How often the model was corrected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeedbackSummaryAnswer {
    /// Predictions that somebody judged.
    total: u64,
    /// Those that were wrong.
    wrong: u64,
    since_training: SinceTraining,
    by_class: Vec<Change>,
}

/// Corrections that no training has seen.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SinceTraining {
    /// Those that the next training learns from.
    pub(crate) corrections: u64,
    /// Those that none can learn from.
    without_image: u64,
    /// What the latter lack.
    missing: Option<&'static str>,
    /// Above which a training is due (`serve.retrain_after`).
    threshold: u64,
    due: bool,
    /// When the last training that made a model began.
    trained_at: Option<String>,
}

/// How often one class was confused with another.
#[derive(Debug, Serialize, ToSchema)]
struct Change {
    /// Null where the image was refused as foreign.
    predicted: Option<String>,
    corrected: String,
    count: u64,
}

impl From<ClassChange> for Change {
    fn from(change: ClassChange) -> Self {
        let ClassChange { predicted, corrected, count } = change;
        Self { predicted, corrected, count }
    }
}

/// Give the right class
///
/// All feedback is kept; the last one for a prediction counts. It is on the disk before the answer
/// is sent.
#[utoipa::path(post, path = "/v1/feedback", tag = "review", request_body = FeedbackRequest,
    responses((status = 201, body = FeedbackAnswer), (status = "4XX", body = ErrorAnswer),
        (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn feedback(
    State(corrector): State<Corrector>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<FeedbackAnswer>), Failure> {
    let kept = corrector.intake.admitted(request, |request, _| keep(&corrector, caller, request));
    Ok((StatusCode::CREATED, Json(kept.await?)))
}

async fn keep(
    corrector: &Corrector,
    caller: Caller,
    request: Request,
) -> Result<FeedbackAnswer, Failure> {
    let body = whole(request, corrector.intake.limits).await?;
    let given: FeedbackRequest = serde_json::from_slice(&body).map_err(|error| {
        let message = format!("the request is not {{\"prediction_id\", \"class\"}}: {error}");
        Failure::new(Code::BadRequest, message)
    })?;
    let classes = corrector.host.shelf.current();
    if classes.classes.index(&given.class).is_err() {
        let message = format!(
            "{:?} is not a class of the model; it has {}",
            given.class,
            classes.classes.names().join(", ")
        );
        return Err(Failure::new(Code::UnknownClass, message));
    }
    if given.note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        let message = format!("the note is longer than {LONGEST_NOTE} characters");
        return Err(Failure::new(Code::BadRequest, message));
    }
    let image = given.image.as_deref().map(decode_base64).transpose()?;
    let feedback = NewFeedback {
        prediction_id: super::query::id(&given.prediction_id)?,
        class: given.class,
        note: given.note.filter(|note| !note.trim().is_empty()),
        key_name: Some(caller.name),
        created_at: Timestamp::now(),
    };
    let recording = Arc::clone(&corrector.records);
    let keep = async move { recording.feedback(&feedback, image).await };
    let (kept, is_image_kept) = corrector.own_tasks.run(keep).await?;
    Ok(FeedbackAnswer {
        id: kept.id.to_string(),
        created_at: kept.created_at.to_string(),
        right: kept.right,
        trains: !kept.right && missing(corrector, is_image_kept).is_none(),
        missing: missing(corrector, is_image_kept).filter(|_| !kept.right),
    })
}

/// Why a correction cannot be used for training.
fn missing(corrector: &Corrector, is_image_kept: bool) -> Option<&'static str> {
    if corrector.training.corrections.is_none() {
        return Some("data.corrections in config.yaml names no folder for corrected images");
    }
    match corrector.settings.store_images {
        _ if is_image_kept => None,
        StoreImages::Never => Some(
            "its image is not kept (serve.store_images is never), and a training learns from \
             images; set it to feedback",
        ),
        StoreImages::Feedback | StoreImages::All => Some(
            "its image is no longer stored, and a training learns from images; send it again with \
             the correction",
        ),
    }
}

/// How often the model was corrected, and whether a training is due
#[utoipa::path(get, path = "/v1/feedback/summary", tag = "review",
    responses((status = 200, body = FeedbackSummaryAnswer), (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn summary(
    State(corrector): State<Corrector>,
) -> Result<Json<FeedbackSummaryAnswer>, Failure> {
    let (summary, since_training) = corrector.summary().await?;
    Ok(Json(FeedbackSummaryAnswer {
        total: summary.total,
        wrong: summary.wrong,
        since_training,
        by_class: summary.by_class.into_iter().map(Change::from).collect(),
    }))
}

impl Corrector {
    /// Corrections that no training has seen.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub(crate) async fn since_training(&self) -> Result<SinceTraining, Failure> {
        Ok(self.summary().await?.1)
    }

    async fn summary(&self) -> Result<(FeedbackSummary, SinceTraining), Failure> {
        let store = &self.records.store;
        let trained = store.last_successful_training().await?.map(|training| training.started_at);
        let summary = store.feedback_summary(trained).await?;
        let threshold = self.settings.retrain_after;
        let (mut corrections, mut without) =
            (summary.corrections_since, summary.without_image_since);
        if missing(self, true).is_some() {
            (corrections, without) = (0, corrections + without);
        }
        let since = SinceTraining {
            corrections,
            without_image: without,
            missing: missing(self, false).filter(|_| without > 0),
            threshold,
            due: corrections > threshold,
            trained_at: trained.map(|time| time.to_string()),
        };
        Ok((summary, since))
    }
}
