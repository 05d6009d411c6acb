//! The tags of a version.

use std::fmt;

use mlflow::{Client, Key, ModelName, ModelVersion, Tag};

/// The state of the decision on a version.
pub(crate) const OUTCOME: &str = "promotion.outcome";
/// Changes while a program is working on the decision.
pub(crate) const HEARTBEAT: &str = "promotion.heartbeat";
/// The digest of the weights.
pub(crate) const MODEL_DIGEST: &str = "model.digest";

/// The state of the decision on a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutcomeTag {
    /// Not decided.
    Pending,
    /// It became the champion.
    Promoted,
    /// It did not.
    Challenger,
    /// The registration failed before it was decided.
    Failed,
    /// The registration stopped reporting before it was decided.
    Abandoned,
}

impl OutcomeTag {
    const ALL: [Self; 5] =
        [Self::Pending, Self::Promoted, Self::Challenger, Self::Failed, Self::Abandoned];
}

impl fmt::Display for OutcomeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Promoted => "promoted",
            Self::Challenger => "challenger",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        })
    }
}

/// The state of the decision on a version; `None` if `register` did not make it.
pub(crate) fn outcome(version: &ModelVersion) -> Option<OutcomeTag> {
    let tag = version.tags.get(OUTCOME)?;
    OutcomeTag::ALL.into_iter().find(|outcome| outcome.to_string() == *tag)
}

pub(crate) fn set_outcome(
    client: &Client,
    name: &ModelName,
    version: u64,
    outcome: OutcomeTag,
) -> mlflow::Result<()> {
    client.tag_model_version(name, version, &tag(OUTCOME, &outcome))
}

pub(crate) fn tag(name: &str, value: &impl fmt::Display) -> Tag {
    Tag::new(Key::cleaned(name), terminal::shown_lines(&value.to_string()))
}
