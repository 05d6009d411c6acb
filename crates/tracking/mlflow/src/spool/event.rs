use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    ArtifactPath, Batch, Dataset, ExperimentChoice, Mark, RunId, RunStatus, Tag, Timestamp,
};

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// When it happened.
    pub(crate) time: Timestamp,
    /// What happened.
    pub(crate) event: Event,
}

/// What a run is told, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// A program began to work on the run. The first one creates it.
    Begin(RunBeginning),
    /// Metrics, parameters, tags.
    Values(Batch),
    /// A dataset as an input.
    Dataset(Dataset),
    /// A file.
    Artifact {
        /// Where it goes.
        path: ArtifactPath,
        /// Where its content lies until then.
        content: Content,
    },
    /// The program ended.
    End {
        /// How.
        status: RunStatus,
    },
}

/// What a run is created with, or which run is joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunBeginning {
    pub(crate) experiment: ExperimentChoice,
    /// The run that somebody named (`MLFLOW_RUN_ID`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) join: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<Tag>,
    pub(crate) mark: Mark,
}

/// Where the content of an artifact lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// A copy in the spool, which goes when it is delivered.
    Copied(String),
    /// The file itself. If it is another one by then, it is not delivered.
    InPlace { path: PathBuf, bytes: u64, sha256: String },
}
