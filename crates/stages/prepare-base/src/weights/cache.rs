//! Keeps the tensors from the hub, with the digest that each had when it was first used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifact::Digest;
use classifier::TensorSpec;
use classifier::tensors::{self, HostTensor, TensorMap};
use serde::{Deserialize, Serialize};

use super::WeightsError;
use super::card::Metadata;
use super::select::Selection;

/// A folder under `paths.downloads` for one file of one commit of one repository.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// `digests.json`: written on first use, checked from then on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    origin: String,
    /// The metadata of the file. Earlier versions did not keep it: their files are fetched again.
    metadata: Option<Metadata>,
    tensors: BTreeMap<String, Digest>,
}

impl Cache {
    /// The folder below `downloads` for the file `[repository, revision, filename]`.
    pub(super) fn of(downloads: &Path, file: [&str; 3]) -> Self {
        let name = file[0].replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let key = Digest::of_fields(file).short();
        Self { folder: downloads.join(format!("{name}-{key}")) }
    }

    /// The place of a whole file until its tensors are extracted.
    pub(super) fn whole_file(&self) -> PathBuf {
        self.folder.join("whole.safetensors")
    }

    fn features_file(&self) -> PathBuf {
        self.folder.join("features.safetensors")
    }

    fn record_file(&self) -> PathBuf {
        self.folder.join("digests.json")
    }

    /// The tensors kept here, if there are any and they are those that were first used.
    pub(super) fn read(&self, specs: &[TensorSpec]) -> Result<Option<Selection>, WeightsError> {
        let path = self.features_file();
        let (Some(record), true) = (self.record()?, path.exists()) else { return Ok(None) };
        let Some(metadata) = record.metadata.clone() else { return Ok(None) };
        let origin = path.display().to_string();
        let kept = tensors::read_foreign(&path)
            .and_then(|tensors| tensors::check(&tensors, specs, &origin).map(|()| tensors));
        match kept {
            Ok(tensors) => {
                let advice = "remove the file to fetch it again".to_owned();
                record.check(&tensors, &origin, advice)?;
                Ok(Some(Selection { tensors, metadata }))
            }
            Err(error) => {
                tracing::warn!("{error}; fetching it again");
                Ok(None)
            }
        }
    }

    /// Keeps new tensors. If there were tensors before, they must be the same.
    pub(super) fn keep(&self, selection: &Selection, origin: &str) -> Result<(), WeightsError> {
        let tensors = &selection.tensors;
        let path = self.record_file();
        let known = self.record()?;
        if let Some(record) = &known {
            let advice = format!("remove {} to accept the new ones", path.display());
            record.check(tensors, origin, advice)?;
        }
        tensors::write(&self.features_file(), tensors, &origin)?;
        if known.is_none_or(|record| record.metadata.is_none()) {
            artifact::write_json(&path, &Record::of(selection, origin))?;
        }
        Ok(())
    }

    fn record(&self) -> Result<Option<Record>, WeightsError> {
        let path = self.record_file();
        Ok(if path.exists() { Some(artifact::read_json(&path)?) } else { None })
    }
}

impl Record {
    fn of(selection: &Selection, origin: &str) -> Self {
        let digests = selection.tensors.iter().map(|(name, it)| (name.clone(), digest_of(it)));
        Self {
            origin: origin.to_owned(),
            metadata: Some(selection.metadata.clone()),
            tensors: digests.collect(),
        }
    }

    fn check(&self, tensors: &TensorMap, origin: &str, advice: String) -> Result<(), WeightsError> {
        let digests = tensors.iter().map(|(name, tensor)| (name, digest_of(tensor)));
        let mut changed = digests.filter(|(name, found)| self.tensors.get(*name) != Some(found));
        let Some((tensor, found)) = changed.next() else { return Ok(()) };
        let (origin, tensor) = (origin.to_owned(), tensor.clone());
        Err(WeightsError::Changed { origin, tensor, found, advice })
    }
}

/// The digest of a tensor's values as little-endian f32.
fn digest_of(tensor: &HostTensor) -> Digest {
    let bytes: Vec<u8> = tensor.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    Digest::of(&bytes)
}

/// One digest for all tensors, by name.
pub(super) fn digest_of_all(tensors: &TensorMap) -> Digest {
    Digest::of_fields(tensors.iter().flat_map(|(name, tensor)| {
        [name.as_bytes().to_vec(), digest_of(tensor).as_bytes().to_vec()]
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(folder: &tempfile::TempDir) -> Cache {
        Cache { folder: folder.path().join("weights") }
    }

    fn selection(value: f32) -> Selection {
        let tensors = TensorMap::from([
            ("a".to_owned(), HostTensor::new(&[1], vec![1.0])),
            ("b".to_owned(), HostTensor::new(&[1, 2], vec![2.0, value])),
        ]);
        let metadata = Metadata::from([("mean".to_owned(), "0, 0, 0".to_owned())]);
        Selection { tensors, metadata }
    }

    fn specs() -> [TensorSpec; 2] {
        [TensorSpec::new("a", &[1]), TensorSpec::new("b", &[1, 2])]
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        assert_eq!(cache.read(&specs()).unwrap(), None);
        cache.keep(&selection(3.0), "hub").unwrap();
        assert_eq!(cache.read(&specs()).unwrap(), Some(selection(3.0)));
    }

    #[test]
    fn what_an_earlier_version_kept_is_fetched_again_and_must_be_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        cache.keep(&selection(3.0), "hub").unwrap();
        let record = cache.record().unwrap().unwrap();
        let earlier = Record { metadata: None, ..record };
        artifact::write_json(&cache.record_file(), &earlier).unwrap();
        assert_eq!(cache.read(&specs()).unwrap(), None);
        assert!(cache.keep(&selection(4.0), "hub").is_err());
        cache.keep(&selection(3.0), "hub").unwrap();
        assert_eq!(cache.read(&specs()).unwrap(), Some(selection(3.0)));
    }

    #[test]
    fn a_tensor_that_changed_in_the_kept_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        cache.keep(&selection(3.0), "hub").unwrap();
        tensors::write(&cache.features_file(), &selection(4.0).tensors, &"hub").unwrap();
        let message = cache.read(&specs()).unwrap_err().to_string();
        assert!(message.contains("changed since they were first used: tensor b"), "{message}");
        assert!(message.contains("features.safetensors"), "{message}");
    }

    #[test]
    fn weights_that_come_again_must_be_those_of_the_first_time() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        cache.keep(&selection(3.0), "hub").unwrap();
        std::fs::remove_file(cache.features_file()).unwrap();
        let message = cache.keep(&selection(4.0), "hub").unwrap_err().to_string();
        assert!(message.contains("tensor b") && message.contains("digests.json"), "{message}");
        assert!(!cache.features_file().exists());
        cache.keep(&selection(3.0), "hub").unwrap();
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder);
        cache.keep(&selection(3.0), "hub").unwrap();
        std::fs::write(cache.features_file(), b"half").unwrap();
        assert_eq!(cache.read(&specs()).unwrap(), None);
    }
}
