use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Tag;

/// The tag of a [`Mark`].
const MARK_TAG: &str = "client.request_id";

/// A unique number of our own, with which a run, a logged model or a model version is created (as
/// the tag `client.request_id`), so that it can be found again when the answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(String);

impl Mark {
    /// A new one: 128 random bits.
    pub fn new() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    pub(crate) fn tag(&self) -> Tag {
        Tag::known(MARK_TAG, &self.0)
    }

    /// The filter that selects it in a search.
    pub(crate) fn filter(&self) -> String {
        format!("tags.`{MARK_TAG}` = '{}'", self.0)
    }
}

impl Default for Mark {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
