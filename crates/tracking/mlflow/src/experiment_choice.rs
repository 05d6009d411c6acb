use std::fmt;

use serde::{Deserialize, Serialize};

/// The server's ID of an experiment: a number, as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExperimentId(pub(crate) String);

impl ExperimentId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ExperimentId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The experiment that new runs belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentChoice {
    /// The one with this name, which is created if it does not exist.
    Name(String),
    /// The one with this ID.
    Id(ExperimentId),
    /// Not specified: the server's own, which is called `Default`.
    Unspecified,
}

impl ExperimentChoice {
    /// This choice, or the experiment with a name if there is none.
    #[must_use]
    pub fn or_name(self, name: &str) -> Self {
        match self {
            Self::Unspecified => Self::Name(name.to_owned()),
            made => made,
        }
    }
}
