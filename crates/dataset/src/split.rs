use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The part an image plays: learnt from, chosen by, or scored on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Learnt from.
    Train,
    /// Chooses the checkpoint.
    Valid,
    /// Scored once, at the end.
    Test,
}

/// Text that names no split.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a split (train, valid or test)")]
pub struct UnknownSplit(String);

impl Split {
    /// All three, in the order of the pipeline.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// The folder name: `train`, `valid` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }

    /// The split that a source folder of this name usually holds, in any letter case:
    /// `train`/`training`, `valid`/`val`/`validation`/`dev`, `test`/`testing`.
    pub fn from_folder_name(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "train" | "training" | "training_set" | "train_set" => Some(Self::Train),
            "valid" | "val" | "validation" | "dev" | "validation_set" | "valid_set" => {
                Some(Self::Valid)
            }
            "test" | "testing" | "test_set" | "testing_set" => Some(Self::Test),
            _ => None,
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = UnknownSplit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|split| split.name() == text)
            .ok_or_else(|| UnknownSplit(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_folder_names_are_known_in_any_case() {
        assert_eq!(Split::from_folder_name("Training"), Some(Split::Train));
        assert_eq!(Split::from_folder_name("VAL"), Some(Split::Valid));
        assert_eq!(Split::from_folder_name("Testing"), Some(Split::Test));
        assert_eq!(Split::from_folder_name("normal"), None);
    }
}
