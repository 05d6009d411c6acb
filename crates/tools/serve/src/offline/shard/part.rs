//! What a part is: a record beside it, `FILE.shard.json`, written last. A part without its record, or
//! with another content than the record says, does not count.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use artifact::Digest;
use classifier::backend::Fingerprint;
use imaging::DecodeOptions;
use program::Shard;
use serde::{Deserialize, Serialize};
use services::ForeignImages;

use crate::model::served::ServedModel;
use crate::offline::arguments::{Arguments, Format};
use crate::offline::shard::difference::difference;
use crate::offline::shard::list::ListDigest;
use crate::offline::tally::Tally;

/// `FILE.shard.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartRecord {
    /// Version of this file's format.
    pub(crate) format: u32,
    pub(crate) shard: Shard,
    pub(crate) work: Work,
    /// How the part was computed; other hardware may change the last digits.
    pub(crate) computed_on: Fingerprint,
    /// What the files became.
    pub(crate) tally: Tally,
    /// The digest of the part.
    pub(crate) sha256: Digest,
    /// Where each row stands in the list of files, from 0.
    pub(crate) positions: Vec<usize>,
}

/// What all parts of one result have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Work {
    /// The version of `predict`.
    pub(crate) version: String,
    pub(crate) model: ModelDigests,
    pub(crate) list: ListDigest,
    pub(crate) settings: RowSettings,
    /// The names of the classes, in the model's order.
    pub(crate) classes: Vec<String>,
    /// The command line without `--shard` and `--output`.
    pub(crate) command: Vec<String>,
}

/// Which model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelDigests {
    /// Of the weights.
    weights: Digest,
    /// Of what `model.json` says, such as the preprocessing.
    description: Digest,
    /// Of what `calibration.json` says; none if the model was never calibrated.
    calibration: Option<Digest>,
}

/// The settings that a row or a heat map depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowSettings {
    pub(crate) format: Format,
    window: Option<String>,
    foreign_images: ForeignImages,
    max_pixels: u64,
    /// The folder of the heat maps.
    explain: Option<PathBuf>,
}

impl ModelDigests {
    pub(crate) fn of(served: &ServedModel) -> Self {
        Self {
            weights: served.description.digests.weights,
            description: digest_of(&served.description),
            calibration: served.calibration.as_ref().map(digest_of),
        }
    }
}

fn digest_of(value: &impl Serialize) -> Digest {
    // All keys are text; other keys are the only thing that cannot be written.
    Digest::of(&serde_json::to_vec(value).expect("a description can be written as JSON"))
}

impl RowSettings {
    pub(crate) fn of(
        arguments: &Arguments,
        foreign_images: ForeignImages,
        options: &DecodeOptions,
    ) -> Self {
        Self {
            format: arguments.format,
            window: options.window.map(|window| window.to_string()),
            foreign_images,
            max_pixels: options.max_pixels,
            explain: arguments.explain.clone(),
        }
    }
}

impl Work {
    /// What differs from `other`, if anything that decides the rows does: a phrase for people.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("another model", difference(&self.model, &other.model)),
            ("another list of files", difference(&self.list, &other.list)),
            ("other settings", difference(&self.settings, &other.settings)),
            ("another version of predict", difference(&self.version, &other.version)),
            ("other classes", difference(&self.classes, &other.classes)),
        ];
        let told = pairs.into_iter().find(|(_, told)| !told.is_empty());
        told.map(|(what, told)| format!("of {what}: {told}"))
    }
}

/// What lies where a part is to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    Nothing,
    /// The part itself, whole.
    Whole(Box<PartRecord>),
    /// Something else, and what.
    Other(String),
}

impl PartRecord {
    /// The format this version writes and reads.
    pub(crate) const FORMAT: u32 = 1;

    /// Where the record of a part is.
    pub(crate) fn beside(part: &Path) -> PathBuf {
        let mut name = OsString::from(part);
        name.push(".shard.json");
        name.into()
    }

    /// Writes the record; the part must be there.
    pub(crate) fn write(&self, part: &Path) -> artifact::Result<()> {
        artifact::write_json(&Self::beside(part), self)
    }

    /// Reads the record of a part, and compares the part with it.
    ///
    /// # Errors
    /// When either is missing, or has changed.
    pub(crate) fn read(part: &Path) -> Result<Self> {
        let path = Self::beside(part);
        if !path.exists() {
            bail!(
                "use {}: there is no {} beside it, which is written last; run this shard again",
                part.display(),
                path.display()
            );
        }
        let text: serde_json::Value = artifact::read_json(&path)?;
        if text["format"] != Self::FORMAT {
            let (found, known) = (&text["format"], Self::FORMAT);
            bail!(
                "use {}: its format is {found}, not {known}; run this shard again",
                path.display()
            );
        }
        let record: Self = artifact::read_json(&path)?;
        if Digest::of_file(part)? != record.sha256 {
            bail!(
                "use {}: it is not what {} says; it changed, or was not written to its end; run \
                 shard {} again",
                part.display(),
                path.display(),
                record.shard
            );
        }
        Ok(record)
    }

    /// What lies at `part`, compared with what is to be there.
    pub(crate) fn find(part: &Path, shard: Shard, work: &Work) -> Found {
        if !part.exists() {
            return Found::Nothing;
        }
        match Self::read(part) {
            Err(error) => Found::Other(format!("{error:#}")),
            Ok(record) if record.shard != shard => {
                Found::Other(format!("it is shard {}, not {shard}", record.shard))
            }
            Ok(record) => match record.work.difference(work) {
                Some(difference) => Found::Other(format!("it is {difference}")),
                None => Found::Whole(Box::new(record)),
            },
        }
    }
}
