//! Keys that were taken back, until they leave config.yaml: `revoked-keys.json` in `serve.folder`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use artifact::Digest;

const FILE: &str = "revoked-keys.json";

/// Where the list is kept.
pub(crate) fn path_in(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The digests of all keys that were taken back.
///
/// # Errors
/// When the list is there and cannot be read: then nobody knows who may come in.
pub(crate) fn read(folder: &Path) -> Result<Vec<Digest>> {
    let path = path_in(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    artifact::read_json(&path).context("read which keys were revoked")
}

/// Takes a key back. Says whether it was not yet.
///
/// # Errors
/// When the list cannot be read or written.
pub(crate) fn add(folder: &Path, digest: Digest) -> Result<bool> {
    let mut revoked = read(folder)?;
    if revoked.contains(&digest) {
        return Ok(false);
    }
    revoked.push(digest);
    artifact::write_json(&path_in(folder), &revoked).context("write which keys were revoked")?;
    Ok(true)
}

/// When the list was last changed.
pub(crate) fn changed_at(folder: &Path) -> Option<SystemTime> {
    std::fs::metadata(path_in(folder)).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_taken_back_stays_so_and_a_damaged_list_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = [b"1", b"2"].map(|key| Digest::of(key));
        assert_eq!(read(folder.path()).unwrap(), []);
        assert!(add(folder.path(), one).unwrap() && add(folder.path(), two).unwrap());
        assert!(!add(folder.path(), one).unwrap());
        assert_eq!(read(folder.path()).unwrap(), [one, two]);
        std::fs::write(path_in(folder.path()), "{").unwrap();
        assert!(read(folder.path()).is_err());
    }
}
