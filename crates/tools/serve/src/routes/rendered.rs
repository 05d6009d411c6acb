//! Images as displayed, for browsers that cannot draw DICOM or TIFF themselves.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use imaging::{DecodeError, DecodeOptions, Thumbnail, Window};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::encode::encode_png;
use crate::error::{Code, ErrorAnswer, Failure};
use crate::guard::keys::Caller;
use crate::intake::Intake;
use crate::upload::read;

/// Pixels of the longer side; larger images are shrunk.
const LONGEST_SIDE: u32 = 2048;

/// How a scan is shown.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RenderedQuery {
    /// Centre and width in Hounsfield units that DICOM images are seen through, as `40,400`.
    #[param(
        pattern = r"^\s*[+-]?\d{1,5}(\.\d+)?\s*,\s*[1-9]\d{0,4}(\.\d+)?\s*$",
        example = "40,400"
    )]
    window: Option<String>,
}

/// The picture in a file
///
/// One image, sent as for `/v1/predict`. What the model makes its own input from: DICOM through its
/// window, eight bits deep, at most 2048 pixels wide and high. Nothing is kept.
#[utoipa::path(post, path = "/v1/rendered", tag = "predict", params(RenderedQuery),
    request_body(content((Vec<u8> = "application/octet-stream"))),
    responses((status = 200, body = Vec<u8>, content_type = "image/png"),
        (status = "4XX", body = ErrorAnswer), (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn rendered(
    State(intake): State<Arc<Intake>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<RenderedQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(|error| Failure::new(Code::BadRequest, error.body_text()))?;
    let window = super::predict::window(query.window)?;
    let png = intake.admitted(request, |request, _| draw(&intake, &caller, request, window));
    let png = png.await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

async fn draw(
    intake: &Intake,
    caller: &Caller,
    request: Request,
    window: Option<Window>,
) -> Result<Vec<u8>, Failure> {
    let uploads = read(request, intake.limits).await?;
    let [upload] = uploads.as_slice() else {
        return Err(Failure::new(Code::BadRequest, "only one image is drawn at a time"));
    };
    let options = DecodeOptions { window, max_pixels: intake.max_pixels };
    let bytes = upload.bytes.clone();
    let drawn = intake.beside_the_model(caller, move || {
        let picture = imaging::decode_with(&bytes, &options)?;
        let Thumbnail { width, height, rgb } = Thumbnail::of(&picture, LONGEST_SIDE);
        Ok::<_, DecodeError>(encode_png(width, height, png::ColorType::Rgb, &rgb))
    });
    drawn.await??.map_err(|error| {
        tracing::error!("failed to encode a picture: {error}");
        Failure::new(Code::Internal, "the picture could not be encoded")
    })
}
