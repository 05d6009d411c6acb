//! The version of a registered model that a model folder holds: `registered.json`.

use std::path::Path;

use artifact::Digest;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::description::ModelDescription;

/// `registered.json`, if a model came from a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// The registered model.
    pub name: String,
    /// Its version there.
    pub version: u64,
    /// Digest of the weights, by which to check that the file belongs to the model beside it.
    pub weights: Digest,
}

impl Registered {
    /// The file's name.
    pub const FILE: &str = "registered.json";

    /// Reads it from a model folder. `None` if the model did not come from a registry: there is no
    /// such file, or another model left it.
    ///
    /// # Errors
    /// When the file exists and is not as expected.
    pub fn read(folder: &Path, model: &ModelDescription) -> Result<Option<Self>> {
        let file = folder.join(Self::FILE);
        if !file.exists() {
            return Ok(None);
        }
        let registered: Self = artifact::read_json(&file)?;
        Ok(Some(registered).filter(|registered| registered.weights == model.digests.weights))
    }

    /// Writes it into a model folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        Ok(artifact::write_json(&folder.join(Self::FILE), self)?)
    }
}
