//! Downloads a version's files from the server to a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use artifact::{Digest, InvalidDigest, WithPath};
use classifier::description::ModelDescription;
use classifier::registered::Registered;
use mlflow::{ArtifactPath, Artifacts, Client, ModelVersion};

use crate::package::{
    DATA_FOLDER, DIGESTS_FILE, DIGESTS_TAG, MODEL_FILES, Need, TRAINING_IMAGES_FILE,
};
use crate::{Error, Result};

/// The fetched files.
#[derive(Debug)]
pub struct Fetched {
    /// The model folder's files.
    pub files: Vec<String>,
    /// The digest of the digests of all files of the version.
    pub digest: Digest,
}

/// Downloads a version into a folder, as the model folder that was registered: every file is
/// checked against the digest that the version was registered with.
///
/// # Errors
/// When the version was not registered by `register`, a file is missing or is not the registered
/// one, the server cannot be reached, or a file cannot be written. Files downloaded before the
/// error stay.
pub fn fetch(client: &Client, version: &ModelVersion, folder: &Path) -> Result<Fetched> {
    let download = Download::begin(client, version)?;
    let mut files = Vec::new();
    for (name, need) in MODEL_FILES {
        let path = format!("{DATA_FOLDER}/{name}");
        if download.digests.contains_key(&path) || need == Need::Always {
            download.file(&path, &folder.join(name))?;
            files.push(name.to_owned());
        }
    }
    Ok(Fetched { files, digest: download.digest })
}

/// Downloads a version as [`fetch`] does, and records in the folder which version it is
/// (`registered.json`).
///
/// # Errors
/// As [`fetch`], and when the folder's `model.json` cannot be read.
pub fn fetch_model_folder(
    client: &Client,
    version: &ModelVersion,
    folder: &Path,
) -> Result<Fetched> {
    let fetched = fetch(client, version, folder)?;
    record_version(version, folder)?;
    Ok(fetched)
}

/// Records in the folder of a fetched model which version it is.
///
/// # Errors
/// When the folder's `model.json` cannot be read, or the file cannot be written.
pub fn record_version(version: &ModelVersion, folder: &Path) -> Result<()> {
    let weights = ModelDescription::read(folder)?.digests.weights;
    let name = version.name.to_string();
    Ok(Registered { name, version: version.version, weights }.write(folder)?)
}

/// The digests of the images that a version was trained on.
///
/// # Errors
/// As [`fetch`], and when the list does not consist of digests.
pub fn training_images(client: &Client, version: &ModelVersion) -> Result<BTreeSet<Digest>> {
    let download = Download::begin(client, version)?;
    let bytes = download.bytes(TRAINING_IMAGES_FILE)?;
    digests_of(&bytes).map_err(|error| Error::List {
        version: download.name.clone(),
        file: TRAINING_IMAGES_FILE.into(),
        reason: error.to_string(),
    })
}

/// The model folder in the output of [`Package::write`](crate::Package::write), and the digests of
/// the images that the model was trained on.
///
/// # Errors
/// When the list of images is missing or does not consist of digests.
pub fn kept(folder: &Path) -> Result<(PathBuf, BTreeSet<Digest>)> {
    let file = folder.join(TRAINING_IMAGES_FILE);
    let images = digests_of(&artifact::read_bytes(&file)?).map_err(|error| Error::List {
        version: folder.display().to_string(),
        file: TRAINING_IMAGES_FILE.into(),
        reason: error.to_string(),
    })?;
    Ok((folder.join(DATA_FOLDER), images))
}

fn digests_of(lines: &[u8]) -> std::result::Result<BTreeSet<Digest>, InvalidDigest> {
    String::from_utf8_lossy(lines).lines().map(str::parse).collect()
}

/// A version whose list of digests exists and is valid.
struct Download<'a> {
    artifacts: Artifacts<'a>,
    name: String,
    digest: Digest,
    digests: BTreeMap<String, Digest>,
}

impl<'a> Download<'a> {
    fn begin(client: &'a Client, version: &ModelVersion) -> Result<Self> {
        let name = format!("{} version {}", version.name, version.version);
        let foreign = || Error::Foreign { version: name.clone(), tag: DIGESTS_TAG };
        let tag = version.tags.get(DIGESTS_TAG).ok_or_else(foreign)?;
        let digest = tag.parse().map_err(|_| foreign())?;
        let artifacts = client.version_artifacts(version)?;
        let known = BTreeMap::from([(DIGESTS_FILE.to_owned(), digest)]);
        let mut download = Self { artifacts, name, digest, digests: known };
        let list = download.bytes(DIGESTS_FILE)?;
        download.digests = serde_json::from_slice(&list).map_err(|error| Error::List {
            version: download.name.clone(),
            file: DIGESTS_FILE.into(),
            reason: error.to_string(),
        })?;
        Ok(download)
    }

    /// Downloads a file, which must be the registered one.
    fn file(&self, path: &str, to: &Path) -> Result<()> {
        let list_error = |reason: String| Error::List {
            version: self.name.clone(),
            file: DIGESTS_FILE.into(),
            reason,
        };
        let recorded =
            *self.digests.get(path).ok_or_else(|| list_error(format!("it lacks {path}")))?;
        let place = ArtifactPath::new(path).map_err(|error| list_error(error.to_string()))?;
        self.artifacts.download(&place, to)?;
        let found = Digest::of_file(to)?;
        if found == recorded {
            return Ok(());
        }
        Err(Error::Changed { version: self.name.clone(), file: path.into(), recorded, found })
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().with_path("create a folder in", std::env::temp_dir())?;
        let file = folder.path().join("file");
        self.file(path, &file)?;
        Ok(artifact::read_bytes(&file)?)
    }
}
