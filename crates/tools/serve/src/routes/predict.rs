//! `POST /v1/predict`.

use axum::Json;
use axum::extract::{Extension, Query, Request, State};
use futures_util::StreamExt;
use imaging::Window;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Item, Predictions};
use crate::error::{Code, ErrorAnswer, Failure};
use crate::guard::keys::Caller;
use crate::predict::{PredictionOptions, Predictor};
use crate::upload::{JsonImages, Upload, read};

/// What is wanted beside a class.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PredictQuery {
    /// `grad-cam`: a PNG of where the model looked.
    #[param(inline)]
    explain: Option<Explain>,
    /// Centre and width in Hounsfield units that DICOM images are seen through, as `40,400`. The
    /// model was trained on what it was trained on: another window than then may mislead it.
    #[param(
        pattern = r"^\s*[+-]?\d{1,5}(\.\d+)?\s*,\s*[1-9]\d{0,4}(\.\d+)?\s*$",
        example = "40,400"
    )]
    window: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Explain {
    GradCam,
}

/// Predict one or many images
///
/// The body is an image itself (PNG, JPEG, DICOM, TIFF, BMP, GIF, WebP), `multipart/form-data` with one or
/// many files, or JSON. Of one image a failure is the answer's status; of many it stands in the
/// image's place.
#[utoipa::path(post, path = "/v1/predict", tag = "predict", params(PredictQuery),
    request_body(content(
        (Vec<u8> = "application/octet-stream"), (JsonImages = "application/json"),
        (String = "multipart/form-data"))),
    responses((status = 200, body = Predictions), (status = "4XX", body = ErrorAnswer),
        (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn predict(
    State(predictor): State<Predictor>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<PredictQuery>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Json<Predictions>, Failure> {
    let Query(query) = query.map_err(|error| Failure::new(Code::BadRequest, error.body_text()))?;
    let window = window(query.window)?;
    let explain = query.explain == Some(Explain::GradCam);
    let answered = predictor.intake.admitted(request, |request, deadline| {
        answer(&predictor, &caller, request, PredictionOptions { explain, window, deadline })
    });
    answered.await.map(Json)
}

/// A window in the form of a query.
pub(crate) fn window(text: Option<String>) -> Result<Option<Window>, Failure> {
    text.map(|text| text.parse()).transpose().map_err(|error: imaging::WindowError| {
        Failure::new(Code::BadRequest, format!("the window cannot be read: {error}"))
    })
}

async fn answer(
    predictor: &Predictor,
    caller: &Caller,
    request: Request,
    options: PredictionOptions,
) -> Result<Predictions, Failure> {
    let mut uploads = read(request, predictor.intake.limits).await?;
    if let [_] = uploads[..] {
        let upload = uploads.remove(0);
        let file = upload.file.clone();
        let prediction = Box::new(predictor.predict(upload, options, caller).await?);
        return Ok(Predictions { predictions: vec![Item::Prediction { file, prediction }] });
    }
    // At most one batch is in progress, so that many images take no more memory than a few.
    let items =
        futures_util::stream::iter(uploads).map(|upload| item(predictor, caller, upload, options));
    let predictions = items.buffered(predictor.settings.batch_images).collect().await;
    Ok(Predictions { predictions })
}

async fn item(
    predictor: &Predictor,
    caller: &Caller,
    upload: Upload,
    options: PredictionOptions,
) -> Item {
    let file = upload.file.clone();
    match predictor.predict(upload, options, caller).await {
        Ok(prediction) => Item::Prediction { file, prediction: Box::new(prediction) },
        Err(failure) => Item::Error { file, error: failure.body() },
    }
}
