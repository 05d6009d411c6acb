//! Earlier predictions.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use jiff::Timestamp;
use prediction_store::{FeedbackFilter, Filter, PredictionRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::ClassProbability;
use crate::error::{ErrorAnswer, Failure};
use crate::records::Records;
use crate::routes::image_answer::image_answer;
use crate::routes::query::{bad, id, limit_and_cursor};

/// Which predictions are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Rows, 1 to 1000; 50 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// The predicted class.
    class: Option<String>,
    /// Whether the image passed the checks.
    accepted: Option<bool>,
    /// The feedback on them.
    #[param(inline)]
    feedback: Option<FeedbackWanted>,
    /// Made at this time (RFC 3339) or later.
    since: Option<String>,
    /// Made before this time (RFC 3339).
    until: Option<String>,
    /// Made by the model of these weights (SHA-256).
    model: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FeedbackWanted {
    Any,
    None,
    Right,
    Wrong,
}

/// Predictions, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListAnswer {
    predictions: Vec<Row>,
    /// For `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// A prediction as it is remembered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Row {
    id: String,
    created_at: String,
    file: Option<String>,
    /// Null where the image was refused as foreign.
    class: Option<String>,
    confidence: Option<f64>,
    probabilities: Vec<ClassProbability>,
    /// Whether the image passed the checks.
    accepted: bool,
    model_digest: String,
    image_sha256: String,
    inference_ms: f64,
    feedback: Option<RowFeedback>,
    /// Where the image is, where it is kept.
    image_url: Option<String>,
}

/// The feedback on a prediction.
#[derive(Debug, Serialize, ToSchema)]
struct RowFeedback {
    class: String,
    note: Option<String>,
    created_at: String,
    right: bool,
}

impl From<PredictionRow> for Row {
    fn from(row: PredictionRow) -> Self {
        let PredictionRow { prediction, feedback } = row;
        let image_url = format!("/v1/predictions/{}/image", prediction.id);
        let probabilities = prediction.probabilities.into_iter();
        Self {
            id: prediction.id.to_string(),
            created_at: prediction.created_at.to_string(),
            file: prediction.file,
            class: prediction.class,
            confidence: prediction.confidence,
            probabilities: probabilities
                .map(|it| ClassProbability { class: it.class, probability: it.probability })
                .collect(),
            accepted: prediction.accepted,
            model_digest: prediction.model.digest.to_string(),
            image_sha256: prediction.image.sha256.to_string(),
            inference_ms: prediction.timings_ms.inference,
            feedback: feedback.map(|feedback| RowFeedback {
                class: feedback.class,
                note: feedback.note,
                created_at: feedback.created_at.to_string(),
                right: feedback.right,
            }),
            image_url: prediction.image.stored.then_some(image_url),
        }
    }
}

/// Earlier predictions, the newest first
#[utoipa::path(get, path = "/v1/predictions", tag = "review", params(ListQuery),
    responses((status = 200, body = ListAnswer), (status = "4XX", body = ErrorAnswer),
        (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn list(
    State(records): State<Arc<Records>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ListAnswer>, Failure> {
    let Query(query) = query.map_err(|error| bad("query", error.body_text()))?;
    let page = records.store.predictions(&query.filter()?).await?;
    Ok(Json(ListAnswer {
        predictions: page.predictions.into_iter().map(Row::from).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// One earlier prediction
#[utoipa::path(get, path = "/v1/predictions/{id}", tag = "review",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Row), (status = "4XX", body = ErrorAnswer),
        (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn one(
    State(records): State<Arc<Records>>,
    Path(text): Path<String>,
) -> Result<Json<Row>, Failure> {
    Ok(Json(records.store.prediction(id(&text)?).await?.into()))
}

/// The image of an earlier prediction, where it is kept
#[utoipa::path(get, path = "/v1/predictions/{id}/image", tag = "review",
    params(("id" = String, Path, description = "The prediction's id")),
    responses((status = 200, body = Vec<u8>, content_type = "image/*"),
        (status = "4XX", body = ErrorAnswer), (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn image(
    State(records): State<Arc<Records>>,
    Path(text): Path<String>,
) -> Result<Response, Failure> {
    let row = records.store.prediction(id(&text)?).await?;
    let bytes = records.image(row.prediction.image.sha256).await?;
    Ok(image_answer(bytes))
}

impl ListQuery {
    fn filter(self) -> Result<Filter, Failure> {
        let time = |name: &str, text: Option<String>| {
            let parse = |text: String| text.parse::<Timestamp>().map_err(|error| bad(name, error));
            text.map(parse).transpose()
        };
        let (limit, cursor) = limit_and_cursor(self.limit, self.cursor)?;
        let model = self.model.map(|text| text.parse()).transpose();
        Ok(Filter {
            limit,
            cursor,
            class: self.class,
            accepted: self.accepted,
            feedback: self.feedback.map(|wanted| match wanted {
                FeedbackWanted::Any => FeedbackFilter::Any,
                FeedbackWanted::None => FeedbackFilter::None,
                FeedbackWanted::Right => FeedbackFilter::Right,
                FeedbackWanted::Wrong => FeedbackFilter::Wrong,
            }),
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            model: model.map_err(|error: artifact::InvalidDigest| bad("model", error))?,
        })
    }
}
