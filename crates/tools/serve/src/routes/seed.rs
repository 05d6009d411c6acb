//! `POST /predict`, in the format that clients of earlier systems expect.

use std::time::Instant;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::Prediction;
use crate::error::{Code, Failure};
use crate::guard::keys::Caller;
use crate::predict::{PredictionOptions, Predictor};
use crate::upload::{Upload, decode_base64, whole};

/// One image as text.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SeedRequest {
    /// Base64, with or without `data:image/png;base64,` before it.
    #[schema(required, nullable = false)]
    image: Option<String>,
}

/// The answer, in a list of one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum SeedAnswer {
    /// The class.
    Prediction {
        prediction: String,
        /// As `97.1234%`
        confidence: String,
    },
    /// What went wrong.
    Error { error: String },
}

/// Predict one image, for existing clients
///
/// `{"image": "<base64>"}` gives `[{"prediction": "normal", "confidence": "97.1234%"}]`. New
/// clients are better served by `/v1/predict`.
#[utoipa::path(post, path = "/predict", tag = "predict", request_body = SeedRequest,
    responses((status = 200, body = [SeedAnswer]), (status = "4XX", body = [SeedAnswer])),
    security((), ("key" = [])))]
pub(crate) async fn predict(
    State(predictor): State<Predictor>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let answered = predictor
        .intake
        .admitted(request, |request, deadline| answer(&predictor, &caller, request, deadline));
    match answered.await {
        Ok(prediction) => {
            let confidence = format!("{:.4}%", prediction.confidence * 100.0);
            let prediction = SeedAnswer::Prediction { prediction: prediction.class, confidence };
            (StatusCode::OK, Json([prediction])).into_response()
        }
        Err(failure) => {
            let error = SeedAnswer::Error { error: failure.message().to_owned() };
            failure.response_with(Json([error]))
        }
    }
}

async fn answer(
    predictor: &Predictor,
    caller: &Caller,
    request: Request,
    deadline: Instant,
) -> Result<Prediction, Failure> {
    let body = whole(request, predictor.intake.limits).await?;
    let parsed: SeedRequest = serde_json::from_slice(&body).map_err(|error| {
        let message = format!("the request is not {{\"image\": \"<base64>\"}}: {error}");
        Failure::new(Code::BadRequest, message)
    })?;
    let Some(image) = parsed.image else {
        return Err(Failure::new(Code::BadRequest, "the request has no \"image\""));
    };
    let upload = Upload { file: None, bytes: decode_base64(&image)? };
    predictor
        .predict(upload, PredictionOptions { explain: false, window: None, deadline }, caller)
        .await
}
