//! A data set on Kaggle, through its public API.

use anyhow::Context;
use config::Config;
use download::{DownloadError, Downloader, Expect, FileRequest, Url};

use super::archive::Archive;
use super::cache::Slot;
use crate::credentials::{self, Environment};

/// `owner/dataset`, with its version if one is given.
pub(super) fn name(dataset: &str, version: Option<u32>) -> String {
    version.map_or_else(|| dataset.to_owned(), |version| format!("{dataset} version {version}"))
}

/// Downloads the archive of a data set.
pub(super) fn fetch(
    config: &Config,
    dataset: &str,
    version: Option<u32>,
) -> anyhow::Result<Archive> {
    let url = address(&config.endpoints.kaggle, dataset, version)?;
    Slot::of(config, dataset, &["kaggle", url.as_str()]).fill(|target, sha256| {
        let authorization = credentials::kaggle(&Environment::load()?)?;
        let label = name(dataset, version);
        if authorization.is_none() {
            tracing::info!("no Kaggle credentials found; public data sets may come without");
        }
        tracing::info!("downloading {label} from Kaggle");
        let is_anonymous = authorization.is_none();
        let request =
            FileRequest { url: url.clone(), authorization, sha256, expect: Expect::Zip, label };
        let fetched = Downloader::new(&config.download)?.fetch_file(&request, target);
        fetched.map_err(|error| explain(error, is_anonymous))
    })
}

/// `<endpoint>/api/v1/datasets/download/<owner>/<dataset>[?datasetVersionNumber=<n>]`
fn address(endpoint: &str, dataset: &str, version: Option<u32>) -> anyhow::Result<Url> {
    let text = format!("{}/api/v1/datasets/download/{dataset}", endpoint.trim_end_matches('/'));
    let mut url =
        Url::parse(&text).with_context(|| format!("understand endpoints.kaggle, {endpoint:?}"))?;
    if let Some(version) = version {
        url.query_pairs_mut().append_pair("datasetVersionNumber", &version.to_string());
    }
    Ok(url)
}

fn explain(error: DownloadError, is_anonymous: bool) -> anyhow::Error {
    // Kaggle answers 404, not 403, for a private data set.
    let refused = matches!(
        &error,
        DownloadError::Status { status, .. } if [401, 403, 404].contains(&status.as_u16())
    );
    if refused && is_anonymous {
        return anyhow::anyhow!("{error}. {}", credentials::KAGGLE_PLACES);
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_the_one_of_the_public_api() {
        assert_eq!(
            address("https://www.kaggle.com/", "a/b", Some(3)).unwrap().as_str(),
            "https://www.kaggle.com/api/v1/datasets/download/a/b?datasetVersionNumber=3"
        );
    }
}
