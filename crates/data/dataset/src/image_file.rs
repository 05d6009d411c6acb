//! Reads the images that a manifest names.

use std::path::{Path, PathBuf};

use artifact::{Digest, IoError};

/// An image that differs from its row in the manifest.
#[derive(Debug, thiserror::Error)]
pub enum ImageFileError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] IoError),
    /// Its content is not what was ingested. If it were used, everything stored under the old
    /// digest would be wrong for it.
    #[error(
        "trust {}: its content changed since ingest: the SHA-256 is {found}, the manifest says \
         {recorded}; run ingest again",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The digest in the manifest.
        recorded: Digest,
        /// The digest of the file now.
        found: Digest,
    },
}

/// The bytes of an image, checked against the manifest's digest.
///
/// # Errors
/// When the file cannot be read, or has changed since `ingest`.
pub fn read_image(path: &Path, recorded: Digest) -> Result<Vec<u8>, ImageFileError> {
    let bytes = artifact::read_bytes(path)?;
    let found = Digest::of(&bytes);
    if found != recorded {
        return Err(ImageFileError::Changed { path: path.to_owned(), recorded, found });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_image_is_named_with_both_digests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan.png");
        artifact::write_file(&path, b"now").unwrap();
        assert_eq!(read_image(&path, Digest::of(b"now")).unwrap(), b"now");
        let message = read_image(&path, Digest::of(b"then")).unwrap_err().to_string();
        for part in ["scan.png", &Digest::of(b"now").to_string(), &Digest::of(b"then").to_string()]
        {
            assert!(message.contains(part), "{message}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read_image(&path, Digest::of(b"now")), Err(ImageFileError::File(_))));
    }
}
