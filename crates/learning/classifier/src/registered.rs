//! Which version of a registered model lies in a model folder: `registered.json`.

use std::path::Path;

use artifact::Digest;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::description::ModelDescription;

/// `registered.json`, where a model came from a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// The registered model.
    pub name: String,
    /// Its version there.
    pub version: u64,
    /// Digest of the weights, by which it is told that the file is of the model beside it.
    pub weights: Digest,
}

impl Registered {
    /// The file's name.
    pub const FILE: &str = "registered.json";

    /// Reads it from a model folder. `None` where the model came from no registry: there is no such
    /// file, or it was left by another model.
    ///
    /// # Errors
    /// When the file is there and is not as expected.
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
