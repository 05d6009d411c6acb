use std::path::PathBuf;

use artifact::Digest;

/// An image, and the view of it that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRequest {
    /// The file.
    pub path: PathBuf,
    /// The digest of its content; keys the random changes and the store.
    pub sha256: Digest,
    /// Which augmented view; `None` for the image as it is.
    pub view: Option<u64>,
}
