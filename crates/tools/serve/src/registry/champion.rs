//! The registry's champion, and the folders of fetched versions.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::{Digest, StagedFolder};
use config::TrackingConfig;
use mlflow::{Client, ModelName, ModelReference, ModelVersion};
use program::UsageError;
use registered_model::{DIGESTS_TAG, champion_alias, fetch_model_folder, record_version};
use serde::{Deserialize, Serialize};

/// The folder of fetched versions, in `serve.folder`.
const FOLDER: &str = "registry";

/// The version that was served last, so that a server can start while the registry is down.
const SERVED_FILE: &str = "served.json";

/// The champion of a registered model. Every method blocks.
#[derive(Debug)]
pub(crate) struct Champion {
    client: Client,
    reference: ModelReference,
    folder: PathBuf,
}

/// A version whose files are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchedVersion {
    pub(crate) version: u64,
    /// A model folder, named after the digest of its files.
    pub(crate) folder: PathBuf,
}

/// `served.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Served {
    model: String,
    version: u64,
    folder: PathBuf,
}

impl Champion {
    /// Reads which server and which model; makes no request.
    ///
    /// # Errors
    /// When no server is configured, or the model's name is not one.
    pub(crate) fn new(tracking: &TrackingConfig, model: &str, serve: &Path) -> Result<Self> {
        let server = tracking::demanded_server(tracking, mlflow::environment)
            .map_err(|error| UsageError(format!("follow the registry: {error}")))?;
        let name = ModelName::new(model)
            .map_err(|error| UsageError(format!("follow the registry: {error}")))?;
        Ok(Self {
            // The next look is the next attempt.
            client: Client::without_retries(&server)?,
            reference: ModelReference::Alias(name, champion_alias()),
            folder: serve.join(FOLDER),
        })
    }

    /// The version that the alias names now.
    ///
    /// # Errors
    /// When the server cannot be reached, or there is no champion.
    pub(crate) fn look(&self) -> Result<ModelVersion> {
        let version = self.client.model_version(&self.reference)?;
        version.with_context(|| {
            format!(
                "find {} at {}: there is no such model or alias; `register` sets it",
                self.reference,
                self.client.server()
            )
        })
    }

    /// The files of a version: fetched, unless they are here.
    ///
    /// # Errors
    /// When it was not registered by `register`, the server cannot be reached, a file is not the
    /// registered one, or the folder cannot be written.
    pub(crate) fn fetch(&self, version: &ModelVersion) -> Result<FetchedVersion> {
        let folder = self.folder_of(version)?;
        if folder.exists() {
            // The same files may be registered under several numbers.
            record_version(version, &folder)?;
        } else {
            let staged = StagedFolder::beside(&folder)?;
            fetch_model_folder(&self.client, version, staged.path())?;
            staged.publish()?;
            tracing::info!(version = version.version, "fetched the champion");
        }
        Ok(FetchedVersion { version: version.version, folder })
    }

    /// The folder for the files of a version.
    ///
    /// # Errors
    /// When the version lacks the tag with the digest of its files.
    pub(crate) fn folder_of(&self, version: &ModelVersion) -> Result<PathBuf> {
        let digest: Option<Digest> =
            version.tags.get(DIGESTS_TAG).and_then(|digest| digest.parse().ok());
        let Some(digest) = digest else {
            bail!(
                "use version {} of {}: it has no tag {DIGESTS_TAG}, so that `register` did not \
                 make it",
                version.version,
                version.name
            );
        };
        Ok(self.folder.join(digest.to_string()))
    }

    /// The champion for a server that starts. Without the registry, the version that was served
    /// last.
    ///
    /// # Errors
    /// When neither can be had.
    pub(crate) fn first(&self) -> Result<FetchedVersion> {
        let error = match self.look().and_then(|version| self.fetch(&version)) {
            Ok(fetched) => return Ok(fetched),
            Err(error) => error,
        };
        match self.served_last() {
            Some(last) => {
                tracing::warn!(
                    "the registry cannot be used, so version {}, which was served last, answers: \
                     failed to {error:#}",
                    last.version
                );
                Ok(last)
            }
            None => Err(error.context("get the first model (serve.follow)")),
        }
    }

    fn served_last(&self) -> Option<FetchedVersion> {
        let served: Served = artifact::read_json(&self.folder.join(SERVED_FILE)).ok()?;
        let is_here = served.folder.exists() && served.model == self.reference.name().to_string();
        is_here.then_some(FetchedVersion { version: served.version, folder: served.folder })
    }

    /// Records the version that is served from now on, and removes the files of others but the one
    /// before it. A failure is logged: the model answers all the same.
    pub(crate) fn remember(&self, now: &FetchedVersion, before: Option<&FetchedVersion>) {
        let served = Served {
            model: self.reference.name().to_string(),
            version: now.version,
            folder: now.folder.clone(),
        };
        if let Err(error) = artifact::write_json(&self.folder.join(SERVED_FILE), &served) {
            tracing::warn!("the served version was not recorded: failed to {error}");
        }
        let kept = [Some(now), before].map(|it| it.map(|it| it.folder.as_path()));
        for folder in folders_in(&self.folder) {
            if !kept.contains(&Some(folder.as_path()))
                && let Err(error) = artifact::remove_folder(&folder)
            {
                tracing::warn!("an old version stays on the disk: failed to {error}");
            }
        }
    }

    /// Removes the files of a version that cannot be used, so that they are fetched again.
    pub(crate) fn forget(&self, fetched: &FetchedVersion) {
        if let Err(error) = artifact::remove_folder(&fetched.folder) {
            tracing::warn!("an unusable version stays on the disk: failed to {error}");
        }
    }
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
