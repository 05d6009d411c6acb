//! Loads test images for the model.

use std::path::{Path, PathBuf};

use artifact::Digest;
use classifier::ModelInput;
use dataset::ImageFileError;
use imaging::{DecodeError, Picture};
use rayon::prelude::*;

use crate::test_set::TestImage;

/// A test image that cannot be scored. Leaving it out would change the meaning of the scores.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read, or is not the ingested one.
    #[error(transparent)]
    File(#[from] ImageFileError),
    /// The file is not a usable picture.
    #[error("decode {}: {source}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: DecodeError,
    },
}

/// Reads a few images on all cores: for each what a model sees of it, in the order given.
///
/// # Errors
/// When a file is missing, is not the ingested one, or cannot be decoded; of several errors the
/// first in order.
pub fn read_images(images: &[TestImage], input: &ModelInput) -> Result<Vec<Vec<f32>>, ImageError> {
    let read = |image| Ok(input.apply(&read_picture(image)?));
    let read: Vec<_> = images.par_iter().map(read).collect();
    // Collected first, so that of several errors the first in order is reported, not the first in
    // time.
    read.into_iter().collect()
}

/// Reads one image without changes.
///
/// # Errors
/// As [`read_images`].
pub fn read_picture(image: &TestImage) -> Result<Picture, ImageError> {
    read_file(&image.file, image.sha256)
}

/// Reads the picture in a file, whose content must have the digest.
///
/// # Errors
/// As [`read_images`].
pub fn read_file(file: &Path, sha256: Digest) -> Result<Picture, ImageError> {
    let bytes = dataset::read_image(file, sha256)?;
    imaging::decode(&bytes)
        .map_err(|source| ImageError::Decode { path: file.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use artifact::Digest;

    use std::path::Path;

    use dataset::ClassIndex;
    use imaging::{Normalisation, Preprocessing};

    use super::*;

    const PREPROCESSING: Preprocessing = Preprocessing::bilinear(2, Normalisation::Unit);

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

    fn images(folder: &Path, files: &[(&str, &[u8])]) -> Vec<TestImage> {
        let image = |(name, bytes): &(&str, &[u8])| {
            let file = folder.join(name);
            artifact::write_file(&file, bytes).unwrap();
            TestImage {
                name: (*name).to_owned(),
                file,
                sha256: Digest::of(bytes),
                actual: ClassIndex(0),
                group: 0,
                has_copy_in_training: false,
            }
        };
        files.iter().map(image).collect()
    }

    fn read(images: &[TestImage]) -> Result<Vec<Vec<f32>>, ImageError> {
        read_images(images, &ModelInput::of_one(PREPROCESSING))
    }

    #[test]
    fn every_image_becomes_planes() {
        let folder = tempfile::tempdir().unwrap();
        let pixel = white_pixel();
        let images = images(folder.path(), &[("a.bmp", &pixel), ("b.bmp", &pixel)]);
        assert_eq!(read(&images).unwrap(), [[1.0; 3 * 2 * 2], [1.0; 3 * 2 * 2]]);
    }

    #[test]
    fn a_file_that_changed_since_ingest_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let pixel = white_pixel();
        let images = images(folder.path(), &[("a.bmp", &pixel), ("b.bmp", &pixel)]);
        let mut grey = pixel;
        grey[54] = 128;
        artifact::write_file(&folder.path().join("b.bmp"), &grey).unwrap();
        let message = read(&images).unwrap_err().to_string();
        assert!(message.contains("b.bmp: its content changed"), "{message}");
    }

    #[test]
    fn a_file_that_is_no_picture_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let images = images(folder.path(), &[("a.png", b"not a picture")]);
        let message = read(&images).unwrap_err().to_string();
        assert!(message.contains("a.png: not an image"), "{message}");
    }

    #[test]
    fn a_missing_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let images = images(folder.path(), &[("a.bmp", &white_pixel())]);
        std::fs::remove_file(folder.path().join("a.bmp")).unwrap();
        assert!(read(&images).unwrap_err().to_string().contains("a.bmp"));
    }
}
