//! A folder or zip file on this machine.

use std::path::{Path, PathBuf};

use artifact::{Digest, WithPath};
use program::UsageError;

use super::archive::Archive;

/// The kind of file at a path.
pub(super) enum Found {
    Folder,
    Archive(Archive),
}

/// A zip file with the wrong digest.
#[derive(Debug, thiserror::Error)]
#[error(
    "take {}: its SHA-256 is {found}, and data.source.sha256 asks for {expected}; \
     take the right file, or correct the digest",
    path.display()
)]
struct WrongDigest {
    path: PathBuf,
    expected: Digest,
    found: Digest,
}

/// Checks `path`; an archive's digest is compared with `expected`.
pub(super) fn find(path: &Path, expected: Option<Digest>) -> anyhow::Result<Found> {
    if !path.exists() {
        return Err(UsageError(format!(
            "find {}: no such file or folder; correct data.source.path in config.yaml, or name \
             the source with --source",
            path.display()
        ))
        .into());
    }
    let metadata = path.metadata().with_path("look at", path)?;
    match (metadata.is_dir(), expected) {
        (true, None) => Ok(Found::Folder),
        (true, Some(_)) => Err(UsageError(format!(
            "check {}: data.source.sha256 is the digest of a zip file, and this is a folder",
            path.display()
        ))
        .into()),
        (false, _) => {
            let found = Digest::of_file(path)?;
            match expected.filter(|expected| *expected != found) {
                Some(expected) => {
                    Err(WrongDigest { path: path.to_path_buf(), expected, found }.into())
                }
                None => Ok(Found::Archive(Archive { path: path.to_path_buf(), sha256: found })),
            }
        }
    }
}
