//! A file on this machine: safetensors, such as one exported from torchvision, or Keras' HDF5.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use artifact::{IoError, WithPath};
use classifier::bases::Base;

use super::card::Card;
use super::loaded::Weights;
use super::select::{Selection, Stretches, select};
use super::{WeightsError, cache, keras};

/// Reads the base's tensors from a file; other tensors, such as the top, are ignored.
pub(super) fn load(path: &Path, base: &Base) -> Result<Weights, WeightsError> {
    let mut file = LocalFile::open(path, base)?;
    let (tensors, card) = if file.is_hdf5 {
        (keras::read(path, base)?, Card::keras(base))
    } else {
        let Selection { tensors, metadata } = select(&mut file, &base.tensor_specs())?;
        (tensors, Card::of(&metadata, file.origin(), base)?)
    };
    // By content, not by name: the same weights under another name make the same model.
    let origin = format!("file with features of SHA-256 {}", cache::digest_of_all(&tensors));
    Ok(card.weights(tensors, origin, base))
}

/// A file that is read in ranges.
#[derive(Debug)]
pub(super) struct LocalFile {
    file: File,
    bytes: u64,
    is_hdf5: bool,
    path: PathBuf,
    origin: String,
}

impl LocalFile {
    /// Opens a file, unless it is a pickle.
    pub(super) fn open(path: &Path, base: &Base) -> Result<Self, WeightsError> {
        let mut file = File::open(path).with_path("open", path).map_err(|error| match error {
            IoError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
                WeightsError::NoFile { path: path.to_path_buf(), base: base.title }
            }
            other => other.into(),
        })?;
        let mut start = Vec::new();
        file.by_ref().take(8).read_to_end(&mut start).with_path("read", path)?;
        if is_pickle(&start) {
            return Err(WeightsError::Pickle { path: path.to_path_buf() });
        }
        let bytes = file.metadata().with_path("read", path)?.len();
        let is_hdf5 = keras::is_hdf5(&start);
        let (path, origin) = (path.to_path_buf(), path.display().to_string());
        Ok(Self { file, bytes, is_hdf5, path, origin })
    }
}

/// `torch.save` writes a zip archive of pickles, and before version 1.6 a bare pickle.
fn is_pickle(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
        || matches!(start, [0x80, 2..=5, ..]) && start.get(2..).is_some_and(|rest| rest != [0, 0])
}

impl Stretches for LocalFile {
    fn read(&mut self, bytes: Range<u64>) -> Result<Vec<u8>, WeightsError> {
        let mut content = Vec::new();
        self.file.seek(SeekFrom::Start(bytes.start)).with_path("read", &self.path)?;
        self.file
            .by_ref()
            .take(bytes.end - bytes.start)
            .read_to_end(&mut content)
            .with_path("read", &self.path)?;
        Ok(content)
    }

    fn file_bytes(&self) -> Option<u64> {
        Some(self.bytes)
    }

    fn origin(&self) -> &str {
        &self.origin
    }
}

#[cfg(test)]
mod tests {
    use classifier::bases;

    use super::*;

    #[test]
    fn a_missing_file_says_where_to_put_one() {
        let folder = tempfile::tempdir().unwrap();
        let message =
            load(&folder.path().join("none.safetensors"), bases::vgg16()).unwrap_err().to_string();
        assert!(
            message.contains("none.safetensors: put a file with the weights of VGG16"),
            "{message}"
        );
    }

    #[test]
    fn pickles_of_both_ages_are_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vgg16-397923af.pth");
        for start in [&b"PK\x03\x04archive/data.pkl"[..], b"\x80\x02\x8a\nl\xfc\x9cF"] {
            std::fs::write(&path, start).unwrap();
            let message = load(&path, bases::vgg16()).unwrap_err().to_string();
            assert!(message.contains("save_file(torch.load(\"vgg16-397923af.pth\""), "{message}");
        }
    }

    #[test]
    fn a_header_of_640_bytes_is_no_pickle() {
        // 0x0280 in little endian starts like a pickle of protocol 2.
        assert!(!is_pickle(&640_u64.to_le_bytes()[..4]));
    }
}
