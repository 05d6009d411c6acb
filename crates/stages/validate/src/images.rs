//! Decodes every image once; the data for later steps is small.

use std::path::PathBuf;

use copies::Signature;
use dataset::{ImageFileError, ImageRecord, Manifest};
use imaging::{DecodeError, Picture};
use picture_checks::Facts;
use rayon::prelude::*;

/// The data kept of a decoded image.
#[derive(Debug)]
pub(crate) struct DecodedImage {
    /// The signature by which copies are found.
    pub(crate) signature: Signature,
    /// Facts that do not depend on its content.
    pub(crate) facts: Facts,
}

/// An image that cannot be processed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error(transparent)]
    File(#[from] ImageFileError),
    #[error("decode {}: {source}", path.display())]
    Decode {
        path: PathBuf,
        #[source]
        source: DecodeError,
    },
}

/// Decodes every image on all cores; the order is the manifest's.
///
/// # Errors
/// When a file is missing, has changed since `ingest`, or cannot be decoded; of several errors the
/// first in order.
pub(crate) fn look_at_all(manifest: &Manifest) -> Result<Vec<DecodedImage>, ImageError> {
    let records = manifest.records();
    let bar = terminal::items_bar(records.len() as u64, "looking at images");
    let seen: Vec<_> = records
        .par_iter()
        .map(|record| {
            let seen = look_at(manifest, record);
            bar.inc(1);
            seen
        })
        .collect();
    bar.finish_and_clear();
    // Collected first, so that of several errors the first in order is reported, not the first in
    // time.
    seen.into_iter().collect()
}

fn look_at(manifest: &Manifest, record: &ImageRecord) -> Result<DecodedImage, ImageError> {
    let (picture, bytes) = read(manifest, record)?;
    Ok(DecodedImage { signature: Signature::of(&picture), facts: Facts::of(&picture, bytes) })
}

/// Decodes one image; also returns its size in bytes.
///
/// # Errors
/// As [`look_at_all`].
pub(crate) fn read(
    manifest: &Manifest,
    record: &ImageRecord,
) -> Result<(Picture, u64), ImageError> {
    let path = manifest.file_of(record);
    let bytes = dataset::read_image(&path, record.sha256)?;
    let picture = imaging::decode(&bytes).map_err(|source| ImageError::Decode { path, source })?;
    Ok((picture, bytes.len() as u64))
}
