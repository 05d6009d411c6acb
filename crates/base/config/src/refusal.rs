use std::fmt::Display;
use std::path::Path;

use crate::ConfigError;

/// One refused value; the file is added by the loader.
#[derive(Debug)]
pub struct Refusal {
    /// Dotted key, such as `serve.address`.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// What may stand there.
    pub expected: String,
}

impl Refusal {
    /// The error that names the file too.
    pub fn in_file(self, path: &Path) -> ConfigError {
        let Self { key, value, expected } = self;
        ConfigError::Value { path: path.to_path_buf(), key, value, expected }
    }
}

/// Refuses `key` unless `holds`.
///
/// # Errors
/// The refusal, with the value and what may stand there.
pub fn require(holds: bool, key: &str, value: impl Display, expected: &str) -> Result<(), Refusal> {
    if holds {
        return Ok(());
    }
    Err(Refusal { key: key.into(), value: value.to_string(), expected: expected.into() })
}
