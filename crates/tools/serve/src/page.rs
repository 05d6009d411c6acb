//! The page: static files, compiled into the program.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::{Code, Failure};

#[derive(RustEmbed)]
#[folder = "page"]
#[include = "*.html"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
#[include = "*.webmanifest"]
struct Files;

/// `/` and `/assets/…`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|headers: HeaderMap| async move { file("index.html", &headers) }))
        .route(
            "/assets/{*path}",
            get(
                |Path(path): Path<String>, headers: HeaderMap| async move { file(&path, &headers) },
            ),
        )
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    match Files::get(path) {
        Some(file) => serve(path, &file, headers),
        None => Failure::new(Code::NotFound, "there is no such file").into_response(),
    }
}

/// The browser asks again at every visit, and gets the file only when it has changed: a page of one
/// version never runs scripts of another.
fn serve(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let digest = file.metadata.sha256_hash();
    let tag =
        format!("\"{}\"", digest[..8].iter().map(|it| format!("{it:02x}")).collect::<String>());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let common = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if known == Some(tag.as_str()) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = [(header::CONTENT_TYPE, media_type(path))];
    (common, kind, file.data.clone()).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
