//! Obtains the images as a folder on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use artifact::{Digest, StagedFolder};
use config::{Config, SourceConfig};
use dataset::LesionBox;
use program::{Settings, UsageError};
use serde::Serialize;

use crate::extract;
use crate::place::Ownership;
use crate::sample;

mod archive;
mod cache;
mod gdrive;
mod kaggle;
mod local;
mod text;
mod url;

use archive::digest_of;
pub(crate) use text::from_text;

/// A folder of images, and its origin.
#[derive(Debug)]
pub(crate) struct Source {
    files: Files,
    pub(crate) provenance: Provenance,
    /// Known lesions, by the path below the folder: only for the sample set.
    pub(crate) lesions: BTreeMap<String, LesionBox>,
}

#[derive(Debug)]
enum Files {
    /// Made by this run, removed when it ends.
    Scratch(StagedFolder),
    /// A user's folder; read and never changed.
    Foreign(PathBuf),
}

/// The origin of the images, for `report.json`. Nothing here depends on the machine or the time:
/// the same data gives the same report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Provenance {
    pub(crate) kind: SourceKind,
    /// The name of a file or folder, or an address, without its path on this machine and without
    /// possible secrets.
    pub(crate) name: String,
    /// The digest of the archive; none for folders and the sample set.
    pub(crate) archive_sha256: Option<Digest>,
}

/// The kinds that `data.source.kind` in `config.yaml` accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SourceKind {
    Sample,
    Local,
    Url,
    Kaggle,
    Gdrive,
}

impl Source {
    /// Obtains the source that the settings name: draws the sample set, downloads, unpacks.
    pub(crate) fn obtain(settings: &Settings) -> anyhow::Result<Self> {
        let config = &settings.config;
        let (kind, name, archive) = match &config.data.source {
            SourceConfig::Sample {} => return Self::sample(settings),
            SourceConfig::Local { path, .. } => match local::find(path, digest_of(config))? {
                local::Found::Folder => return Ok(Self::folder(path)),
                local::Found::Archive(archive) => (SourceKind::Local, file_name(path), archive),
            },
            SourceConfig::Url { url, .. } => {
                let (name, archive) = url::fetch(config, url)?;
                (SourceKind::Url, name, archive)
            }
            SourceConfig::Kaggle { dataset, version, .. } => {
                let archive = kaggle::fetch(config, dataset, *version)?;
                (SourceKind::Kaggle, kaggle::name(dataset, *version), archive)
            }
            SourceConfig::Gdrive { link, .. } => {
                let (name, archive) = gdrive::fetch(config, link)?;
                (SourceKind::Gdrive, name, archive)
            }
        };
        tracing::info!("unpacking {}", archive.path.display());
        let scratch = scratch(config)?;
        extract::unzip(&archive.path, scratch.path(), &config.extraction)?;
        let provenance = Provenance { kind, name, archive_sha256: Some(archive.sha256) };
        Ok(Self { files: Files::Scratch(scratch), provenance, lesions: BTreeMap::new() })
    }

    fn sample(settings: &Settings) -> anyhow::Result<Self> {
        let ingest = &settings.params.ingest;
        let scratch = scratch(&settings.config)?;
        tracing::info!("drawing {} synthetic scans", ingest.sample.images);
        let lesions = sample::write_source(scratch.path(), ingest.sample.images, ingest.seed)
            .context("draw the sample set")?;
        let name = "synthetic chest CT".to_owned();
        let provenance = Provenance { kind: SourceKind::Sample, name, archive_sha256: None };
        Ok(Self { files: Files::Scratch(scratch), provenance, lesions })
    }

    fn folder(path: &Path) -> Self {
        let name = file_name(path);
        let provenance = Provenance { kind: SourceKind::Local, name, archive_sha256: None };
        let files = Files::Foreign(path.to_path_buf());
        Self { files, provenance, lesions: BTreeMap::new() }
    }

    /// The folder of the images.
    pub(crate) fn folder_path(&self) -> &Path {
        match &self.files {
            Files::Scratch(scratch) => scratch.path(),
            Files::Foreign(path) => path,
        }
    }

    /// Whether the images may be moved out of it.
    pub(crate) fn ownership(&self) -> Ownership {
        match self.files {
            Files::Scratch(_) => Ownership::Ours,
            Files::Foreign(_) => Ownership::Theirs,
        }
    }
}

/// A temporary folder beside the output, so that images can be renamed into it.
fn scratch(config: &Config) -> anyhow::Result<StagedFolder> {
    let mut name = config.paths.data_ingestion.clone().into_os_string();
    name.push(".source");
    Ok(StagedFolder::beside(Path::new(&name))?)
}

fn file_name(path: &Path) -> String {
    path.canonicalize()
        .ok()
        .as_deref()
        .unwrap_or(path)
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Refuses a source folder inside the output folder, which publishing would remove, and an output
/// inside the source, which would be read as a part of it the next time. The same applies to the
/// folder of corrections.
pub(crate) fn refuse_overlap(config: &Config) -> Result<(), UsageError> {
    let output = &config.paths.data_ingestion;
    let corrections = config.data.corrections.as_deref().filter(|folder| folder.is_dir());
    if let Some(corrections) = corrections {
        refuse_overlap_of(corrections, output)?;
    }
    let SourceConfig::Local { path, .. } = &config.data.source else { return Ok(()) };
    if !path.is_dir() {
        return Ok(());
    }
    if let Some(corrections) = corrections {
        refuse_corrections_in_source(path, corrections)?;
    }
    refuse_overlap_of(path, output)
}

/// They would also be read as a part of the source, and go to any split.
fn refuse_corrections_in_source(source: &Path, corrections: &Path) -> Result<(), UsageError> {
    let (source_place, corrections_place) = (place_of(source), place_of(corrections));
    if corrections_place.starts_with(&source_place) || source_place.starts_with(&corrections_place)
    {
        return Err(UsageError(format!(
            "tell the corrections in {} from the source in {}: one lies in the other; move one \
             (data.corrections, data.source.path)",
            corrections.display(),
            source.display()
        )));
    }
    Ok(())
}

fn refuse_overlap_of(source: &Path, output: &Path) -> Result<(), UsageError> {
    let (source_place, output_place) = (place_of(source), place_of(output));
    if source_place.starts_with(&output_place) || output_place.starts_with(&source_place) {
        return Err(UsageError(format!(
            "read {} into {}: one lies in the other; choose another output folder \
             (paths.data_ingestion, --output)",
            source.display(),
            output.display()
        )));
    }
    Ok(())
}

/// The absolute path, with links resolved in the part that exists.
fn place_of(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let known = absolute.ancestors().find_map(|above| {
        let resolved = above.canonicalize().ok()?;
        Some(resolved.join(absolute.strip_prefix(above).ok()?))
    });
    known.unwrap_or(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_and_output_must_lie_apart() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("artifacts/data_ingestion");
        assert!(refuse_overlap_of(folder.path(), &inside).is_err());
        assert!(refuse_overlap_of(&inside, folder.path()).is_err());
        assert!(refuse_overlap_of(&folder.path().join("a"), &folder.path().join("ab")).is_ok());
    }

    #[test]
    fn source_and_corrections_must_lie_apart() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("corrections");
        assert!(refuse_corrections_in_source(folder.path(), &inside).is_err());
        assert!(refuse_corrections_in_source(&inside, folder.path()).is_err());
        assert!(refuse_corrections_in_source(&folder.path().join("data"), &inside).is_ok());
    }
}
