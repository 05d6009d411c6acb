//! Many files, divided among processes that never talk to each other.
//!
//! Each process makes the same list of files, predicts those that its shard holds, and writes a part
//! with a record of what it is. [`merge`] puts the parts together, in the order of the list.

mod difference;
mod list;
mod lost;
pub(crate) mod merge;
mod part;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use artifact::Sha256Writer;
use program::Shard;

use crate::offline::arguments::Arguments;
use crate::offline::shard::list::{List, Share};
use crate::offline::shard::part::{Found, ModelDigests, PartRecord, RowSettings, Work};
use crate::offline::{Predicting, tally::Tally};

/// Predicts the files of one shard to `output`, unless that is there already.
///
/// # Errors
/// As without shards, and when a file changes meanwhile.
pub(crate) fn run(
    arguments: &Arguments,
    (shard, output): (Shard, &Path),
    files: &[PathBuf],
    predicting: &Predicting<'_>,
) -> Result<ExitCode> {
    for written in [output, &PartRecord::beside(output)] {
        artifact::remove_stale_temporaries(written)?;
    }
    let list = List::of(files);
    let work = Work {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: ModelDigests::of(predicting.served),
        list: list.digest(),
        settings: RowSettings::of(
            arguments,
            predicting.settings.foreign_images,
            &predicting.options,
        ),
        classes: predicting.served.classes.names().to_vec(),
        command: arguments.words(),
    };
    let shown = terminal::shown(output.display());
    match PartRecord::find(output, shard, &work) {
        Found::Whole(record) => {
            tracing::info!("{shown} is there already: shard {shard}, {}", record.rows());
            return Ok(ExitCode::SUCCESS);
        }
        Found::Other(what) => tracing::warn!("replacing {shown}: {what}"),
        Found::Nothing => {}
    }
    let record = predict(shard, output, (list.share(shard), work), predicting)?;
    for line in record.tally.lines(predicting.served.classes.names()) {
        tracing::info!("{line}");
    }
    tracing::info!("wrote {shown}: shard {shard}, {}", record.rows());
    // What became of the files counts for all of them together, in the merged result.
    Ok(ExitCode::SUCCESS)
}

/// Writes the part, then its record.
fn predict(
    shard: Shard,
    output: &Path,
    (share, work): (Share, Work),
    predicting: &Predicting<'_>,
) -> Result<PartRecord> {
    let format = work.settings.format;
    let (tally, sha256) = artifact::write_through(output, |file| -> Result<_> {
        let mut digested = Sha256Writer::new(file);
        let tally: Tally = predicting.write(&share.files, format, &mut digested)?;
        Ok((tally, digested.finish().0))
    })?;
    let record = PartRecord {
        format: PartRecord::FORMAT,
        shard,
        work,
        computed_on: predicting.model.backend().fingerprint(),
        tally,
        sha256,
        positions: share.positions,
    };
    record.write(output)?;
    Ok(record)
}

impl PartRecord {
    /// `10 of 40 files`.
    fn rows(&self) -> String {
        format!("{} of {} files", self.positions.len(), self.work.list.files)
    }
}
