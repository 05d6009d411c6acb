use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

/// The storage of images: a folder, `s3://bucket/prefix` or `gs://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageLocation {
    /// A folder, created if it is missing.
    Folder(PathBuf),
    /// A bucket of S3, or of a compatible store.
    S3(Url),
    /// A bucket of Google Cloud Storage.
    GoogleCloud(Url),
}

/// Text that is not a storage for images.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the place for images {reason}; expected a folder, s3://bucket/prefix or gs://bucket/prefix"
)]
pub struct InvalidImageLocation {
    reason: &'static str,
}

impl Default for ImageLocation {
    /// The folder `artifacts/serve/images`.
    fn default() -> Self {
        Self::Folder("artifacts/serve/images".into())
    }
}

impl FromStr for ImageLocation {
    type Err = InvalidImageLocation;

    fn from_str(text: &str) -> Result<Self, InvalidImageLocation> {
        let invalid = |reason| InvalidImageLocation { reason };
        let folder = match text.strip_prefix("file:") {
            Some(rest) => Some(rest.strip_prefix("//").unwrap_or(rest)),
            None => (!text.contains("://")).then_some(text),
        };
        if let Some(folder) = folder {
            return if folder.is_empty() {
                Err(invalid("is empty"))
            } else {
                Ok(Self::Folder(folder.into()))
            };
        }
        let url = Url::parse(text).map_err(|_| invalid("is no address"))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(invalid("names no bucket"));
        }
        // Credentials come from the environment, where they are not displayed.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("holds credentials; leave them to the environment"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("has something after a '?' or '#'"));
        }
        match url.scheme() {
            "s3" => Ok(Self::S3(url)),
            "gs" => Ok(Self::GoogleCloud(url)),
            _ => Err(invalid("is of an unknown kind")),
        }
    }
}

impl fmt::Display for ImageLocation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(out),
            Self::S3(url) | Self::GoogleCloud(url) => url.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_buckets_are_told_apart() {
        let folder = |path: &str| ImageLocation::Folder(path.into());
        assert_eq!("a/b c".parse(), Ok(folder("a/b c")));
        assert_eq!("file:a/b".parse(), Ok(folder("a/b")));
        assert_eq!("file:///var/images".parse(), Ok(folder("/var/images")));
        let s3: ImageLocation = "s3://scans/of/ward-7".parse().unwrap();
        assert_eq!(s3.to_string(), "s3://scans/of/ward-7");
        assert!(matches!(s3, ImageLocation::S3(_)));
        assert!(matches!("gs://scans".parse(), Ok(ImageLocation::GoogleCloud(_))));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "file:",
            "s3://",
            "ftp://host/a",
            "s3://key:secret@bucket/a",
            "s3://bucket?region=x",
        ] {
            let error = text.parse::<ImageLocation>().unwrap_err().to_string();
            assert!(error.contains("expected a folder"), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
