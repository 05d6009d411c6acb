use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{Config, ConfigError, Params, Refusal};

/// Reads and checks a YAML file that `--flag` names.
///
/// # Errors
/// When the file is missing, does not fit `T`, or `check` rejects a value.
pub fn load_yaml<T: DeserializeOwned>(
    path: &Path,
    flag: &'static str,
    check: impl Fn(&T) -> Result<(), Refusal>,
) -> Result<T, ConfigError> {
    let parsed: T = serde_yaml::from_str(&read(path, flag)?)
        .map_err(|error| ConfigError::syntax(path.to_path_buf(), &error))?;
    check(&parsed).map_err(|refusal| refusal.in_file(path))?;
    Ok(parsed)
}

fn read(path: &Path, flag: &'static str) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_path_buf(),
        flag,
        source,
    })
}

impl Config {
    /// Reads and checks `config.yaml`.
    ///
    /// # Errors
    /// When the file is missing, has an unknown key, or holds a value that is not allowed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        load_yaml(path, "config", Self::check)
    }

    /// Checks values that command-line flags have changed since [`load`](Self::load).
    ///
    /// # Errors
    /// When a value is not allowed; `origin` is named as the file.
    pub fn check_as(&self, origin: &Path) -> Result<(), ConfigError> {
        self.check().map_err(|refusal| refusal.in_file(origin))
    }
}

impl Params {
    /// Reads and checks `params.yaml`.
    ///
    /// # Errors
    /// When the file is missing, lacks a key, has an unknown one, or holds a value out of range.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        load_yaml(path, "params", |params: &Self| {
            params.check()?;
            params.check_head_and_training()
        })
    }

    /// Checks, after command-line flags have changed a key of section `train`, that it has what the
    /// head needs and no key without effect on it.
    ///
    /// # Errors
    /// When it does not; `origin` is named as the file.
    pub fn check_training_as(&self, origin: &Path) -> Result<(), ConfigError> {
        self.check_head_and_training().map_err(|refusal| refusal.in_file(origin))
    }

    /// Checks values that command-line flags have changed since [`load`](Self::load).
    ///
    /// # Errors
    /// When a value is out of its range; `origin` is named as the file.
    pub fn check_as(&self, origin: &Path) -> Result<(), ConfigError> {
        self.check().map_err(|refusal| refusal.in_file(origin))
    }
}
