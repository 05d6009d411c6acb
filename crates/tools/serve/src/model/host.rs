//! The model that answers, with what it takes to let another one answer.

use std::path::PathBuf;
use std::sync::Arc;

use config::DeviceChoice;
use tokio::sync::Mutex;

use crate::model::engine::Engine;
use crate::model::shelf::Shelf;

/// What is asked about images, and exchanged for another.
#[derive(Debug)]
pub(crate) struct ModelHost {
    /// Where models are read from when another one is to answer.
    pub(crate) places: ModelPlaces,
    pub(crate) device: DeviceChoice,
    pub(crate) shelf: Shelf,
    pub(crate) engine: Engine,
    /// Held while one model takes the place of another, by the task that does it.
    pub(crate) swapping: Arc<Mutex<()>>,
}

/// Where models are read from, and what they are called.
#[derive(Debug, Clone)]
pub(crate) struct ModelPlaces {
    pub(crate) folder: PathBuf,
    /// Where `dvc repro` puts a model; another folder may be served.
    pub(crate) pipeline_output: PathBuf,
    pub(crate) evaluation: PathBuf,
    pub(crate) name: String,
}
