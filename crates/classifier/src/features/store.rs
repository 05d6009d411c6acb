use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use artifact::{Digest, WithPath};

use super::ImageRequest;
use crate::Result;

/// Begins every file of the store; the digit is the format's version.
const MAGIC: &[u8; 8] = b"HFEATS1\n";

/// Records on disk, one file each, by the content of the image and everything else that decides
/// them. Any number of processes may share it; it may be removed at any time.
///
/// A file is the magic, the values as little-endian f32, and their CRC-32. One that is truncated
/// or damaged counts as missing and is made again.
#[derive(Debug)]
pub struct FeatureStore {
    folder: PathBuf,
    record_length: usize,
}

impl FeatureStore {
    /// Opens the part of the store that holds records of one kind.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: &Path, key: &Digest, record_length: usize) -> Result<Self> {
        let folder = root.join(key.short());
        artifact::create_folder(&folder)?;
        Ok(Self { folder, record_length })
    }

    /// A record, or `None` where it is missing or damaged.
    pub fn get(&self, image: &ImageRequest) -> Option<Vec<f32>> {
        let bytes = fs::read(self.path_of(image)).ok()?;
        let body = bytes.strip_prefix(MAGIC)?;
        let (values, checksum) = body.split_at_checked(self.record_length * 4)?;
        if checksum != crc32fast::hash(values).to_le_bytes() {
            return None;
        }
        let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        Some(values.chunks_exact(4).map(value).collect())
    }

    /// Keeps a record. It appears whole or not at all; it is not synced, since a damaged one is
    /// only made again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, image: &ImageRequest, record: &[f32]) -> Result<()> {
        let path = self.path_of(image);
        let folder = path.parent().unwrap_or(&self.folder);
        artifact::create_folder(folder)?;
        let values: Vec<u8> = record.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut file =
            tempfile::NamedTempFile::new_in(folder).with_path("create a file in", folder)?;
        file.write_all(MAGIC)
            .and_then(|()| file.write_all(&values))
            .and_then(|()| file.write_all(&crc32fast::hash(&values).to_le_bytes()))
            .with_path("write", &path)?;
        file.persist(&path).map_err(|failed| failed.error).with_path("write", &path)?;
        Ok(())
    }

    fn path_of(&self, image: &ImageRequest) -> PathBuf {
        let digest = image.sha256.to_string();
        let name = match image.view {
            None => format!("{digest}.features"),
            Some(number) => format!("{digest}-{number}.features"),
        };
        self.folder.join(&digest[..2]).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(view: Option<u64>) -> ImageRequest {
        ImageRequest { path: "a.png".into(), sha256: Digest::of(b"a"), view }
    }

    #[test]
    fn a_record_is_found_again_by_content_and_view() {
        let root = tempfile::tempdir().unwrap();
        let store = FeatureStore::open(root.path(), &Digest::of(b"key"), 3).unwrap();
        store.put(&image(None), &[1.0, f32::NAN.abs(), -3.5]).unwrap();
        store.put(&image(Some(2)), &[4.0, 5.0, 6.0]).unwrap();
        assert_eq!(store.get(&image(None)).unwrap()[2], -3.5);
        assert_eq!(store.get(&image(Some(2))).unwrap(), [4.0, 5.0, 6.0]);
        assert_eq!(store.get(&image(Some(1))), None);
    }

    #[test]
    fn a_damaged_record_counts_as_missing() {
        let root = tempfile::tempdir().unwrap();
        let store = FeatureStore::open(root.path(), &Digest::of(b"key"), 2).unwrap();
        store.put(&image(None), &[1.0, 2.0]).unwrap();
        let path = store.path_of(&image(None));
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(store.get(&image(None)), None, "{length} bytes");
        }
        let mut flipped = whole.clone();
        flipped[10] ^= 1;
        fs::write(&path, &flipped).unwrap();
        assert_eq!(store.get(&image(None)), None);
        fs::write(&path, &whole).unwrap();
        assert_eq!(store.get(&image(None)).unwrap(), [1.0, 2.0]);
    }
}
