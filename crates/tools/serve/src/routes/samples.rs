//! Scans to try.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path as UrlPath, State};
use axum::response::Response;
use serde::Serialize;
use services::ServeConfig;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use crate::error::{Code, ErrorAnswer, Failure};
use crate::routes::image_answer::image_answer;

/// Number of scans for each class.
const SCANS_OF_A_CLASS: usize = 2;

/// Number of classes shown.
const MOST_CLASSES: usize = 12;

/// Scans to try.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SamplesAnswer {
    samples: Vec<Sample>,
}

/// A scan to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Sample {
    name: String,
    url: String,
    /// The class it was labelled with.
    class: String,
}

/// Scans to try
#[utoipa::path(get, path = "/v1/samples", tag = "predict",
    responses((status = 200, body = SamplesAnswer)), security((), ("key" = [])))]
pub(crate) async fn list(
    State(settings): State<Arc<ServeConfig>>,
) -> Result<Json<SamplesAnswer>, Failure> {
    Ok(Json(SamplesAnswer { samples: samples(&settings).await? }))
}

/// One scan to try
#[utoipa::path(get, path = "/v1/samples/{class}/{file}", tag = "predict",
    params(("class" = String, Path), ("file" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/*"),
        (status = "4XX", body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn one(
    State(settings): State<Arc<ServeConfig>>,
    UrlPath((class, file)): UrlPath<(String, String)>,
) -> Result<Response, Failure> {
    let missing = || Failure::new(Code::NotFound, "there is no such sample");
    // Only listed files, whatever the path is.
    let name = format!("{class}/{file}");
    if !samples(&settings).await?.iter().any(|sample| sample.name == name) {
        return Err(missing());
    }
    let path = settings.samples.join(name);
    let bytes = tokio::fs::read(&path).await.map_err(|error| {
        tracing::warn!("read {}: {error}", path.display());
        missing()
    })?;
    Ok(image_answer(bytes.into()))
}

async fn samples(settings: &ServeConfig) -> Result<Vec<Sample>, Failure> {
    let folder: PathBuf = settings.samples.clone();
    let listed = spawn_blocking(move || find(&folder)).await;
    listed.map_err(|_| Failure::new(Code::Internal, "the samples could not be listed"))
}

/// The first scans of each class, in order. A missing folder has none.
fn find(folder: &Path) -> Vec<Sample> {
    let mut samples = Vec::new();
    for class in names(folder, |kind| kind.is_dir()).into_iter().take(MOST_CLASSES) {
        let files = names(&folder.join(&class), |kind| kind.is_file());
        samples.extend(files.into_iter().take(SCANS_OF_A_CLASS).map(|file| Sample {
            name: format!("{class}/{file}"),
            url: format!("/v1/samples/{}/{}", encoded(&class), encoded(&file)),
            class: class.clone(),
        }));
    }
    samples
}

/// Names in a folder, in order, without hidden ones.
fn names(folder: &Path, is_wanted: impl Fn(std::fs::FileType) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let wanted = entries.filter(|entry| entry.file_type().is_ok_and(&is_wanted));
    let mut names: Vec<String> =
        wanted.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_scans_of_each_class_are_shown_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/1.png", "b/2.png", "b/3.png", "a/x y.png", "a/.hidden", "loose.png"] {
            artifact::write_file(&folder.path().join(name), b"x").unwrap();
        }
        let found = find(folder.path());
        let names: Vec<&str> = found.iter().map(|sample| sample.name.as_str()).collect();
        assert_eq!(names, ["a/x y.png", "b/1.png", "b/2.png"]);
        assert_eq!(found[0].url, "/v1/samples/a/x%20y%2Epng");
        assert!(find(&folder.path().join("missing")).is_empty());
    }
}
