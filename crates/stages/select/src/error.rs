use std::path::PathBuf;

use artifact::{Digest, IoError};
use classifier::ClassifierError;
use program::UsageError;

use crate::history::HistoryError;
use crate::pattern::PatternError;

/// Why no model can be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelectError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] IoError),
    /// A checkpoint or the base cannot be used.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    /// A run's curves cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The pattern is unusable; ends the program with exit code 2.
    #[error("{0}")]
    Pattern(#[source] UsageError),
    /// No finished run.
    #[error(
        "find a checkpoint: {} holds no {}<run> folder with checkpoints; run train first",
        folder.display(),
        classifier::checkpoint::FOLDER_PREFIX
    )]
    NoRuns {
        /// The folder that `train` writes to.
        folder: PathBuf,
    },
    /// Finished runs, none of them trained on the present data.
    #[error(
        "find a checkpoint of the present data (manifest {}) in {}: every run there was trained on \
         other data ({runs}); run train again",
        data.short(),
        folder.display()
    )]
    OtherData {
        /// The folder that `train` writes to.
        folder: PathBuf,
        /// Names of the runs.
        runs: String,
        /// The present data.
        data: Digest,
    },
    /// The named checkpoint was trained on other data.
    #[error(
        "select {}: it was trained on other data (manifest {}) than the present (manifest {}); \
         run train again, or ingest the data it belongs to",
        path.display(),
        found.short(),
        present.short()
    )]
    NamedOtherData {
        /// The checkpoint.
        path: PathBuf,
        /// The data it was trained on.
        found: Digest,
        /// The present data.
        present: Digest,
    },
    /// The run does not list the checkpoint.
    #[error("trust {}: {} beside it does not list it; run train again", path.display(), classifier::checkpoint::DIGESTS_FILE)]
    Unrecorded {
        /// The checkpoint.
        path: PathBuf,
    },
    /// The base was made again since.
    #[error(
        "put {} on its base: it belongs to a base with SHA-256 {}, {} now holds {}; run train \
         again, or prepare-base with the parameters it had",
        path.display(),
        recorded.short(),
        base.display(),
        present.short()
    )]
    OtherBase {
        /// The checkpoint.
        path: PathBuf,
        /// The folder of the present base.
        base: PathBuf,
        /// The base it belongs to.
        recorded: Digest,
        /// The present one.
        present: Digest,
    },
}

impl From<PatternError> for SelectError {
    fn from(error: PatternError) -> Self {
        Self::Pattern(UsageError(error.to_string()))
    }
}
