//! The unfinished file beside the target, and the note beside it that names its origin.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use artifact::{Digest, Sha256Writer, WithPath};
use reqwest::header::{ETAG, HeaderMap, HeaderName, LAST_MODIFIED};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{DownloadError, Downloaded};

/// The file, and its version, that a part belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Origin {
    /// Digest of the address, which itself may hold a signature.
    url_sha256: Digest,
    /// The value for `If-Range`: a strong ETag, or else the date of the last change.
    validator: String,
}

/// `<target>.part`, open at its end, with the digest of its content.
pub(crate) struct PartialFile {
    target: PathBuf,
    path: PathBuf,
    note: PathBuf,
    url_sha256: Digest,
    origin: Option<Origin>,
    writer: Sha256Writer<File>,
    bytes: u64,
}

impl PartialFile {
    /// Opens the part of an earlier run, if the version of `url` that it belongs to is known;
    /// otherwise starts empty.
    pub(crate) fn open(target: &Path, url: &Url) -> Result<Self, DownloadError> {
        if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            artifact::create_folder(folder)?;
        }
        let (path, note) = (beside(target, ".part"), beside(target, ".part.json"));
        let url_sha256 = Digest::of(url.as_str().as_bytes());
        let origin = artifact::read_json::<Origin>(&note)
            .ok()
            .filter(|origin| origin.url_sha256 == url_sha256);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(origin.is_none())
            .open(&path)
            .with_path("open", &path)?;
        let mut writer = Sha256Writer::new(file.try_clone().with_path("open", &path)?);
        // Reading to the end leaves both handles there.
        let bytes = writer.absorb(&mut file).with_path("read", &path)?;
        Ok(Self { target: target.to_path_buf(), path, note, url_sha256, origin, writer, bytes })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The value for `If-Range`, if there is something to resume.
    pub(crate) fn validator(&self) -> Option<&str> {
        self.origin.as_ref().filter(|_| self.bytes > 0).map(|origin| origin.validator.as_str())
    }

    /// Empties the part, and notes the version that follows.
    pub(crate) fn start_over(&mut self, headers: &HeaderMap) -> Result<(), DownloadError> {
        let file = File::create(&self.path).with_path("create", &self.path)?;
        self.writer = Sha256Writer::new(file);
        self.bytes = 0;
        self.origin =
            validator(headers).map(|validator| Origin { url_sha256: self.url_sha256, validator });
        match &self.origin {
            Some(origin) => artifact::write_json(&self.note, origin)?,
            None => remove_if_there(&self.note)?,
        }
        Ok(())
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        self.writer.write_all(bytes).with_path("write", &self.path)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Checks the digest and gives the file its name. A file with a wrong digest is removed.
    pub(crate) fn finish(
        self,
        url: &Url,
        expected: Option<Digest>,
    ) -> Result<Downloaded, DownloadError> {
        let (got, file) = self.writer.finish();
        if let Some(expected) = expected.filter(|expected| *expected != got) {
            remove_if_there(&self.path)?;
            remove_if_there(&self.note)?;
            return Err(DownloadError::Digest { address: url.into(), expected, got });
        }
        file.sync_all().with_path("write", &self.path)?;
        fs::rename(&self.path, &self.target)
            .with_path("rename a finished file to", &self.target)?;
        remove_if_there(&self.note)?;
        Ok(Downloaded { path: self.target, bytes: self.bytes, sha256: got })
    }

    /// Removes the part: it is not the file requested.
    pub(crate) fn discard(&self) -> Result<(), DownloadError> {
        remove_if_there(&self.path)?;
        remove_if_there(&self.note)
    }
}

fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_if_there(path: &Path) -> Result<(), DownloadError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => Ok(other.with_path("remove", path)?),
    }
}

/// Identifies this version of the file: a strong ETag, or else the date of the last change.
/// `If-Range` accepts no weak ETag (RFC 9110, 13.1.5).
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    text(ETAG)
        .filter(|etag| !etag.starts_with("W/"))
        .or_else(|| text(LAST_MODIFIED))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_weak_etag_is_no_ground_to_go_on() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(validator(&headers(&[("etag", "\"v1\"")])).as_deref(), Some("\"v1\""));
        assert_eq!(validator(&headers(&[("etag", "W/\"v1\"")])), None);
        let both = headers(&[("etag", "W/\"v1\""), ("last-modified", date)]);
        assert_eq!(validator(&both).as_deref(), Some(date));
    }

    #[test]
    fn a_part_goes_on_only_for_the_same_address() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("scans.zip");
        let url = Url::parse("http://host.example/scans.zip").unwrap();
        let mut part = PartialFile::open(&target, &url).unwrap();
        part.start_over(&headers(&[("etag", "\"v1\"")])).unwrap();
        part.append(b"abc").unwrap();
        drop(part);

        let again = PartialFile::open(&target, &url).unwrap();
        assert_eq!((again.bytes(), again.validator()), (3, Some("\"v1\"")));
        let elsewhere = Url::parse("http://host.example/other.zip").unwrap();
        let other = PartialFile::open(&target, &elsewhere).unwrap();
        assert_eq!((other.bytes(), other.validator()), (0, None));
    }

    #[test]
    fn what_was_there_counts_in_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("scans.zip");
        let url = Url::parse("http://host.example/scans.zip").unwrap();
        let mut part = PartialFile::open(&target, &url).unwrap();
        part.start_over(&headers(&[("etag", "\"v1\"")])).unwrap();
        part.append(b"abc").unwrap();
        drop(part);

        let mut part = PartialFile::open(&target, &url).unwrap();
        part.append(b"def").unwrap();
        let done = part.finish(&url, Some(Digest::of(b"abcdef"))).unwrap();
        assert_eq!(fs::read(done.path).unwrap(), b"abcdef");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
