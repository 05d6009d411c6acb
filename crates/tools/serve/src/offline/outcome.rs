use std::fmt::Display;

use dataset::ClassIndex;
use imaging::DecodeError;

/// The outcome for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Predicted(ClassIndex),
    /// Which checks failed, and the class if it is reported nevertheless.
    Foreign {
        failed: &'static str,
        class: Option<ClassIndex>,
    },
    /// The kind of the reason.
    Unusable(&'static str),
}

/// Why a file has no usable image.
#[derive(Debug, Clone)]
pub(crate) struct Unusable {
    pub(crate) kind: &'static str,
    pub(crate) error: String,
}

impl Unusable {
    /// The file itself cannot be read.
    pub(crate) fn unreadable(error: impl Display) -> Self {
        Self { kind: "cannot be read", error: error.to_string() }
    }
}

impl From<DecodeError> for Unusable {
    fn from(error: DecodeError) -> Self {
        let kind = match &error {
            DecodeError::TooLarge { .. } | DecodeError::TooMuchMemory(_) => "too large",
            DecodeError::NotAnImage { .. } | DecodeError::NoImage { .. } | DecodeError::Empty => {
                "no image"
            }
            _ => "damaged or of a kind that is not read",
        };
        Self { kind, error: error.to_string() }
    }
}
