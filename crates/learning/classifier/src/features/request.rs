use std::path::PathBuf;

use artifact::Digest;

/// An image, and the requested view of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRequest {
    /// The file.
    pub path: PathBuf,
    /// The digest of its content; keys the random changes and the store.
    pub sha256: Digest,
    /// The augmented view; `None` for the unchanged image.
    pub view: Option<u64>,
}
