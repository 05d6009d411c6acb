//! Test images as the model sees them.

use std::path::PathBuf;

use artifact::{Digest, IoError};
use dataset::{ImageRecord, Manifest};
use imaging::{DecodeError, Preprocessing};
use rayon::prelude::*;

/// A test image that cannot be scored. Leaving it out would change what the scores mean.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] IoError),
    /// The file is not the one that was ingested.
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
        /// The digest of the file as it is.
        found: Digest,
    },
    /// The file is not a picture that can be used.
    #[error("decode {}: {source}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: DecodeError,
    },
}

/// Reads a few images on all cores: of each the planes `[3, image_size, image_size]`, f32,
/// normalised, in the order of `records`.
///
/// # Errors
/// When a file is missing, is not the one that was ingested, or cannot be decoded; of several the
/// first in order.
pub(crate) fn read_images(
    manifest: &Manifest,
    records: &[&ImageRecord],
    preprocessing: &Preprocessing,
) -> Result<Vec<Vec<f32>>, ImageError> {
    let read: Vec<_> =
        records.par_iter().map(|record| read_image(manifest, record, preprocessing)).collect();
    // Collected first, so that of several errors the first in order is reported, not in time.
    read.into_iter().collect()
}

fn read_image(
    manifest: &Manifest,
    record: &ImageRecord,
    preprocessing: &Preprocessing,
) -> Result<Vec<f32>, ImageError> {
    let path = manifest.file_of(record);
    let bytes = artifact::read_bytes(&path)?;
    let found = Digest::of(&bytes);
    if found != record.sha256 {
        return Err(ImageError::Changed { path, recorded: record.sha256, found });
    }
    match imaging::decode(&bytes) {
        Ok(picture) => Ok(preprocessing.apply(&picture)),
        Err(source) => Err(ImageError::Decode { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use config::Normalisation;
    use dataset::Split;

    use super::*;

    const PREPROCESSING: Preprocessing =
        Preprocessing { image_size: 2, normalisation: Normalisation::Unit };

    /// A BMP of one white pixel, written out: 14 bytes of file header, 40 of picture header.
    fn white_pixel() -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        for value in [58_u32, 0, 54, 40, 1, 1] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend([1, 0, 24, 0]);
        bytes.extend([0; 24]);
        bytes.extend([255, 255, 255, 0]);
        bytes
    }

    fn manifest(folder: &Path, files: &[(&str, &[u8])]) -> Manifest {
        let records = files.iter().map(|(path, bytes)| {
            artifact::write_file(&folder.join(path), bytes).unwrap();
            ImageRecord {
                path: (*path).to_owned(),
                split: Split::Test,
                class: "normal".into(),
                sha256: Digest::of(bytes),
                width: 1,
                height: 1,
            }
        });
        Manifest::new(folder, records.collect())
    }

    fn read(manifest: &Manifest) -> Result<Vec<Vec<f32>>, ImageError> {
        let records: Vec<_> = manifest.records().iter().collect();
        read_images(manifest, &records, &PREPROCESSING)
    }

    #[test]
    fn every_image_becomes_planes() {
        let folder = tempfile::tempdir().unwrap();
        let pixel = white_pixel();
        let manifest = manifest(folder.path(), &[("a.bmp", &pixel), ("b.bmp", &pixel)]);
        assert_eq!(read(&manifest).unwrap(), [[1.0; 3 * 2 * 2], [1.0; 3 * 2 * 2]]);
    }

    #[test]
    fn a_file_that_changed_since_ingest_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let pixel = white_pixel();
        let manifest = manifest(folder.path(), &[("a.bmp", &pixel), ("b.bmp", &pixel)]);
        let mut grey = pixel;
        grey[54] = 128;
        artifact::write_file(&folder.path().join("b.bmp"), &grey).unwrap();
        let message = read(&manifest).unwrap_err().to_string();
        assert!(message.contains("b.bmp: its content changed"), "{message}");
    }

    #[test]
    fn a_file_that_is_no_picture_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = manifest(folder.path(), &[("a.png", b"not a picture")]);
        let message = read(&manifest).unwrap_err().to_string();
        assert!(message.contains("a.png: not an image"), "{message}");
    }

    #[test]
    fn a_missing_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = manifest(folder.path(), &[("a.bmp", &white_pixel())]);
        std::fs::remove_file(folder.path().join("a.bmp")).unwrap();
        assert!(read(&manifest).unwrap_err().to_string().contains("a.bmp"));
    }
}
