//! The sections of `config.yaml` for the programs outside the pipeline: `registry` and `promotion`
//! for `register`, `serve` for the server. The other sections are in crate `config`.
//!
//! They are separate because no stage depends on them: a new key of the server makes no stage run
//! again.

mod operation;
mod promotion;
mod serve;

use std::path::Path;

use config::{ConfigError, Refusal};
use serde::{Deserialize, Serialize};

pub use operation::{DriftConfig, FollowConfig, StoreRule, TrainingJob, TrainingPlace};
pub use promotion::{
    BaselineRule, PromotionConfig, PromotionMetric, PromotionTest, RegistryConfig,
};
pub use serve::{
    ApiKeyConfig, ForeignImages, Role, ServeConfig, ServeLimits, StoreImages, TlsConfig,
};

/// The sections of `config.yaml` for the programs outside the pipeline.
///
/// An unknown section is refused by [`config::Config::load`], which these programs call too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Services {
    /// Where models are registered.
    pub registry: RegistryConfig,
    /// The rule by which a model becomes the champion.
    pub promotion: PromotionConfig,
    /// The prediction server.
    pub serve: ServeConfig,
}

impl Services {
    /// Reads and checks the sections in `config.yaml`.
    ///
    /// # Errors
    /// When the file is missing, a section has an unknown key, or a value is not allowed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        config::load_yaml(path, "config", Self::check)
    }

    /// Checks values that command-line flags have changed since [`load`](Self::load).
    ///
    /// # Errors
    /// When a value is not allowed; `origin` is named as the file.
    pub fn check_as(&self, origin: &Path) -> Result<(), ConfigError> {
        self.check().map_err(|refusal| refusal.in_file(origin))
    }

    fn check(&self) -> Result<(), Refusal> {
        self.registry.check()?;
        self.promotion.check()?;
        self.serve.check()
    }
}
