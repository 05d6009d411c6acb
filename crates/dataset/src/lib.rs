//! What a labelled image set is, on disk and in memory: [`Split`]s, [`ClassIndices`] and the
//! [`Manifest`] that names every image with its class and digest.

mod class;
mod manifest;
mod split;

pub use class::{ClassIndex, ClassIndices, ClassIndicesError};
pub use manifest::{ImageRecord, MANIFEST_FILE, Manifest, ManifestError};
pub use split::{Split, UnknownSplit};
