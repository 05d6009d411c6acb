use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Uuid, Version};

/// Makes the ids of one process increase, even if the clock stops or goes back.
static SEQUENCE: Mutex<ContextV7> = Mutex::new(ContextV7::new());

fn uuid_at(now: Timestamp) -> Uuid {
    let since_1970 = now.as_duration();
    let seconds = u64::try_from(since_1970.as_secs()).unwrap_or(0);
    let nanoseconds = u32::try_from(since_1970.subsec_nanos()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(&SEQUENCE, seconds, nanoseconds))
}

fn parse(text: &str) -> Result<Uuid, InvalidId> {
    // Other spellings of the same id (upper case, braces) would not be found as text.
    Uuid::try_parse(text)
        .ok()
        .filter(|uuid| uuid.get_version() == Some(Version::SortRand) && uuid.to_string() == text)
        .ok_or_else(|| InvalidId(text.chars().take(64).collect()))
}

/// Text that is not an id of this store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id (a UUID of version 7, in lower case)")]
pub struct InvalidId(String);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, greater than every earlier one of this process, whatever `now` is.
            pub fn new(now: Timestamp) -> Self {
                Self(uuid_at(now))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl TryFrom<[u8; 16]> for $name {
            type Error = InvalidId;

            fn try_from(bytes: [u8; 16]) -> Result<Self, InvalidId> {
                parse(&Uuid::from_bytes(bytes).to_string()).map(Self)
            }
        }

        impl From<$name> for [u8; 16] {
            fn from(id: $name) -> Self {
                id.0.into_bytes()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id! {
    /// Identifies a prediction.
    PredictionId
}
id! {
    /// Identifies one feedback on a prediction.
    FeedbackId
}
id! {
    /// Identifies an audit row.
    AuditId
}
id! {
    /// Identifies a training.
    TrainingId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_while_the_clock_falls_back_an_hour() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let earlier: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let ids: Vec<_> = [now, earlier, earlier, now].into_iter().map(PredictionId::new).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        // The database orders the text.
        let texts: Vec<_> = ids.iter().map(PredictionId::to_string).collect();
        assert!(texts.is_sorted_by(|a, b| a < b), "{texts:?}");
    }

    #[test]
    fn only_the_one_spelling_is_an_id() {
        let drawn = PredictionId::new(Timestamp::UNIX_EPOCH);
        assert_eq!(drawn.to_string().parse(), Ok(drawn));
        // One with letters: a random one may have none, and is then the same in capitals.
        let id: PredictionId = "01a22683-df72-7594-a330-af89173b01f7".parse().unwrap();
        for wrong in [
            id.to_string().to_uppercase(),
            format!("{{{id}}}"),
            id.to_string().replace('-', ""),
            "00000000-0000-4000-8000-000000000000".to_owned(),
            String::new(),
        ] {
            assert!(wrong.parse::<PredictionId>().is_err(), "{wrong}");
        }
    }
}
