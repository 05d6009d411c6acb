use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    ArtifactPath, Batch, Dataset, ExperimentChoice, Mark, RunId, RunStatus, Tag, Timestamp,
};

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Its time.
    pub(crate) time: Timestamp,
    /// The event.
    pub(crate) event: Event,
}

/// The events of a run, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// A program began to work on the run. The first such event creates it.
    Begin(RunBeginning),
    /// Metrics, parameters, tags.
    Values(Batch),
    /// A dataset as an input.
    Dataset(Dataset),
    /// A file.
    Artifact {
        /// Its path among the artifacts.
        path: ArtifactPath,
        /// Where its content is stored until delivery.
        content: Content,
    },
    /// The program ended.
    End {
        /// The state it ended with.
        status: RunStatus,
    },
}

/// The data to create a run with, or the run to join.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunBeginning {
    pub(crate) experiment: ExperimentChoice,
    /// The run named by the user (`MLFLOW_RUN_ID`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) join: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<Tag>,
    pub(crate) mark: Mark,
}

/// Where the content of an artifact is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// A copy in the spool, which is removed after delivery.
    Copied(String),
    /// The file itself. If it has changed by then, it is not delivered.
    InPlace { path: PathBuf, bytes: u64, sha256: String },
}
