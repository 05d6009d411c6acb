//! Revoked keys, until they are removed from config.yaml: `revoked-keys.json` in `serve.folder`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use artifact::Digest;

const FILE: &str = "revoked-keys.json";

/// The path of the list.
pub(crate) fn path_in(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The digests of all revoked keys.
///
/// # Errors
/// When the list exists and cannot be read: then it is unknown which keys are valid.
pub(crate) fn read(folder: &Path) -> Result<Vec<Digest>> {
    let path = path_in(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    artifact::read_json(&path).context("read which keys were revoked")
}

/// Revokes a key. Returns whether it was valid before.
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

/// The time of the list's last change.
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
