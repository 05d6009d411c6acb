use std::fmt::Display;
use std::path::Path;

use crate::ConfigError;

/// One refused value; the loader adds the file.
#[derive(Debug)]
pub struct Refusal {
    /// Dotted key, such as `serve.address`.
    pub key: String,
    /// The value in the file.
    pub value: String,
    /// What is allowed.
    pub expected: String,
}

impl Refusal {
    /// The error, with the file's name added.
    pub fn in_file(self, path: &Path) -> ConfigError {
        let Self { key, value, expected } = self;
        ConfigError::Value { path: path.to_path_buf(), key, value, expected }
    }
}

/// Refuses the value of `key` unless `holds`.
///
/// # Errors
/// The refusal, with the value and what is allowed.
pub fn require(holds: bool, key: &str, value: impl Display, expected: &str) -> Result<(), Refusal> {
    if holds {
        return Ok(());
    }
    Err(Refusal { key: key.into(), value: value.to_string(), expected: expected.into() })
}
