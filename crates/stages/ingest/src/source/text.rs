//! The values of `--source`.

use artifact::Digest;
use config::SourceConfig;

/// Reads the value of `--source`: a path, an address, `kaggle:owner/dataset` or `sample`. Links to
/// Google Drive and Kaggle pages are recognised.
pub(crate) fn from_text(text: &str, sha256: Option<Digest>) -> SourceConfig {
    let sha256 = sha256.map(|digest| digest.to_string());
    if text == "sample" {
        return SourceConfig::Sample {};
    }
    if let Some(dataset) = text.strip_prefix("kaggle:") {
        return SourceConfig::Kaggle { dataset: dataset.to_owned(), version: None, sha256 };
    }
    if !(text.starts_with("http://") || text.starts_with("https://")) {
        return SourceConfig::Local { path: text.into(), sha256 };
    }
    let address = url::Url::parse(text).ok();
    let host = address.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    if ["drive.google.com", "drive.usercontent.google.com", "docs.google.com"].contains(&host) {
        return SourceConfig::Gdrive { link: text.to_owned(), sha256 };
    }
    match address.as_ref().and_then(kaggle_page) {
        Some(dataset) => SourceConfig::Kaggle { dataset, version: None, sha256 },
        None => SourceConfig::Url { url: text.to_owned(), sha256 },
    }
}

/// `owner/dataset` of `https://www.kaggle.com/datasets/owner/dataset?…`.
fn kaggle_page(address: &url::Url) -> Option<String> {
    let host = address.host_str()?;
    let mut parts = address.path_segments()?;
    if !["kaggle.com", "www.kaggle.com"].contains(&host) || parts.next() != Some("datasets") {
        return None;
    }
    let (owner, dataset) = (parts.next()?, parts.next().filter(|name| !name.is_empty())?);
    Some(format!("{owner}/{dataset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_source_is_known_by_its_text() {
        let kaggle = |dataset: &str| SourceConfig::Kaggle {
            dataset: dataset.into(),
            version: None,
            sha256: None,
        };
        let url = |url: &str| SourceConfig::Url { url: url.into(), sha256: None };
        let gdrive = |link: &str| SourceConfig::Gdrive { link: link.into(), sha256: None };
        for (text, expected) in [
            ("sample", SourceConfig::Sample {}),
            ("./sample", SourceConfig::Local { path: "./sample".into(), sha256: None }),
            ("kaggle:a/b", kaggle("a/b")),
            ("https://www.kaggle.com/datasets/a/b?select=x", kaggle("a/b")),
            ("https://www.kaggle.com/c/x", url("https://www.kaggle.com/c/x")),
            ("https://drive.google.com/open?id=x", gdrive("https://drive.google.com/open?id=x")),
            ("http://host/a.zip", url("http://host/a.zip")),
        ] {
            assert_eq!(from_text(text, None), expected, "{text}");
        }
    }
}
