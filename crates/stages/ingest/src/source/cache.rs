//! Archives from earlier downloads.

use std::path::{Path, PathBuf};

use artifact::Digest;
use config::Config;
use download::Downloaded;
use serde::{Deserialize, Serialize};

use super::archive::{Archive, digest_of};

/// The record beside a downloaded archive, by which it is recognised.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    sha256: Digest,
    bytes: u64,
}

/// The place of a source's archive: `<downloads>/<name>-<key>.zip`.
pub(super) struct Slot {
    path: PathBuf,
    expected: Option<Digest>,
}

impl Slot {
    /// The slot of the source with this `identity`, which distinguishes it from every other; `name`
    /// is for people.
    pub(super) fn of(config: &Config, name: &str, identity: &[&str]) -> Self {
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let name = name.trim_matches('-').to_lowercase();
        let key = Digest::of_fields(identity).short();
        let path = config.paths.downloads.join(format!("{name}-{key}.zip"));
        Self { path, expected: digest_of(config) }
    }

    /// The archive kept here, if it is complete and the requested one; otherwise the result of
    /// `fetch`.
    pub(super) fn fill(
        self,
        fetch: impl FnOnce(&Path, Option<Digest>) -> anyhow::Result<Downloaded>,
    ) -> anyhow::Result<Archive> {
        if let Some(archive) = self.kept() {
            tracing::info!(
                "using {} from an earlier run; remove it to download it again",
                archive.path.display()
            );
            return Ok(archive);
        }
        let Downloaded { path, bytes, sha256 } = fetch(&self.path, self.expected)?;
        artifact::write_json(&self.record_path(), &Record { sha256, bytes })?;
        Ok(Archive { path, sha256 })
    }

    fn kept(&self) -> Option<Archive> {
        let record: Record = artifact::read_json(&self.record_path()).ok()?;
        if self.expected.is_some_and(|expected| expected != record.sha256) {
            return None;
        }
        let found = Digest::of_file(&self.path).ok()?;
        if found != record.sha256 {
            tracing::warn!("{} has changed since it came; downloading again", self.path.display());
            return None;
        }
        Some(Archive { path: self.path.clone(), sha256: found })
    }

    fn record_path(&self) -> PathBuf {
        self.path.with_extension("zip.json")
    }
}
