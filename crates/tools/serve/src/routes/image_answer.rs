use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use imaging::{PictureFormat, looks_like_image};

/// A stored image, with the media type that its bytes show.
pub(super) fn image_answer(bytes: Bytes) -> Response {
    let kind = looks_like_image(&bytes);
    let kind = kind.map_or("application/octet-stream", PictureFormat::media_type);
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}
