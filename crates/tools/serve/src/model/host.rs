//! The served model, with the parts needed to replace it.

use std::path::PathBuf;
use std::sync::Arc;

use config::DeviceChoice;
use tokio::sync::Mutex;

use crate::model::engine::Engine;
use crate::model::shelf::Shelf;
use crate::registry::follow::Follower;

/// The model that predicts images, and can be replaced.
#[derive(Debug)]
pub(crate) struct ModelHost {
    /// The folders to read another model from.
    pub(crate) places: ModelPlaces,
    pub(crate) device: DeviceChoice,
    pub(crate) shelf: Shelf,
    pub(crate) engine: Engine,
    /// Locked while one model replaces another, by the task that does it.
    pub(crate) swapping: Arc<Mutex<()>>,
    /// Follows the registry's champion, if the server does so.
    pub(crate) follower: Option<Follower>,
}

/// The folders of models, and their names.
#[derive(Debug, Clone)]
pub(crate) struct ModelPlaces {
    pub(crate) folder: PathBuf,
    /// The folder that `dvc repro` writes a model to; another folder may be served.
    pub(crate) pipeline_output: PathBuf,
    pub(crate) evaluation: PathBuf,
    pub(crate) name: String,
}
