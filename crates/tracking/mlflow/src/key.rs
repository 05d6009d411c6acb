use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The longest name of a metric, parameter or tag.
const LONGEST_KEY_CHARACTERS: usize = 250;

/// The characters that MLflow accepts: letters and digits of any script, `_`, `-`, `.`, space, `:`
/// and `/`.
static ALLOWED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\p{L}\p{N}_\-. :/]+$").expect("the pattern is valid"));
static REFUSED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[^\p{L}\p{N}_\-. :/]").expect("the pattern is valid"));

/// The name of a metric, a parameter or a tag: 1 to 250 letters and digits of any script, `_`,
/// `-`, `.`, space, `:` and `/`; as a path it must be in its shortest form (no `//`, no `.` or
/// `..` as a segment, no `/` at either end).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key(String);

/// A name that MLflow rejects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is no name for a metric, parameter or tag: {reason}; MLflow takes up to 250 \
     letters, digits, and any of _ - . : / and space"
)]
pub struct InvalidKey {
    /// The name.
    pub name: String,
    /// The error.
    pub reason: &'static str,
}

impl Key {
    /// Checks a name.
    ///
    /// # Errors
    /// When MLflow would refuse it.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidKey> {
        let name = name.into();
        match reason_to_refuse(&name) {
            None => Ok(Self(name)),
            Some(reason) => Err(InvalidKey { name, reason }),
        }
    }

    /// The closest valid name: invalid characters become `_`, redundant path segments are removed,
    /// and a name that is too long is shortened to its beginning, followed by the CRC-32 of the
    /// whole. Two names may become the same: `a@b` and `a%b` both become `a_b`.
    pub fn cleaned(name: &str) -> Self {
        if reason_to_refuse(name).is_none() {
            return Self(name.to_owned());
        }
        let allowed = REFUSED.replace_all(name, "_");
        let segments = allowed.split('/').filter(|segment| !matches!(*segment, "" | "."));
        let segments: Vec<&str> =
            segments.map(|segment| if segment == ".." { "_" } else { segment }).collect();
        let mut path = segments.join("/");
        if path.is_empty() || path.starts_with("..") {
            path.insert(0, '_');
        }
        if path.chars().count() > LONGEST_KEY_CHARACTERS {
            let mark = format!("-{:08x}", crc32fast::hash(name.as_bytes()));
            let head: String = path.chars().take(LONGEST_KEY_CHARACTERS - mark.len()).collect();
            path = head.trim_end_matches('/').to_owned() + &mark;
        }
        Self(path)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn reason_to_refuse(name: &str) -> Option<&'static str> {
    let is_short = |segment: &str| !matches!(segment, "" | "." | "..");
    if name.is_empty() {
        Some("it is empty")
    } else if name.chars().count() > LONGEST_KEY_CHARACTERS {
        Some("it is too long")
    } else if !ALLOWED.is_match(name) {
        Some("a character in it is not allowed")
    } else if name.starts_with("..") || !name.split('/').all(is_short) {
        Some("as a path it could be shorter")
    } else {
        None
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidKey;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_the_server_takes_them() {
        for name in
            ["loss", "train/loss", "mlflow.source.git.commit", "Größe: 3 µm", "損失", "a..b"]
        {
            assert!(Key::new(name).is_ok(), "{name}");
        }
        for name in ["", "...", "a@b", "a//b", "/a", "a/", "a/../b", "./a", "..a", "a\nb", "100%"] {
            assert!(Key::new(name).is_err(), "{name}");
        }
        assert!(Key::new("a".repeat(250)).is_ok() && Key::new("a".repeat(251)).is_err());
        let message = Key::new("a@b").unwrap_err().to_string();
        assert!(message.contains("\"a@b\"") && message.contains("not allowed"), "{message}");
    }

    #[test]
    fn a_cleaned_name_is_close_and_always_taken() {
        let cases = [
            ("train/loss", "train/loss"),
            ("accuracy [%]", "accuracy ___"),
            ("//a/./b/../c/", "a/b/_/c"),
            ("..hidden", "_..hidden"),
            ("..", "_"),
            ("", "_"),
            // An accent that is a separate character is neither a letter nor a digit.
            ("e\u{301}", "e_"),
        ];
        for (name, expected) in cases {
            let cleaned = Key::cleaned(name);
            assert_eq!(cleaned.as_str(), expected);
            assert_eq!(Key::new(expected), Ok(cleaned));
        }
    }

    #[test]
    fn long_names_stay_apart() {
        let long = |last: &str| Key::cleaned(&("é".repeat(300) + last));
        assert_eq!(long("a").as_str().chars().count(), 250);
        assert_ne!(long("a"), long("b"));
        assert!(Key::new(long("a").0).is_ok());
    }
}
