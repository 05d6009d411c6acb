use report::Tone;
use serde::Serialize;

/// How far a score on this data can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// There is no objection.
    Sound,
    /// There is a reservation.
    Caution,
    /// A high score would not show that anything about the disease was learnt.
    NotToBeBelieved,
}

impl Level {
    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Sound => Tone::Good,
            Self::Caution => Tone::Warn,
            Self::NotToBeBelieved => Tone::Bad,
        }
    }
}
