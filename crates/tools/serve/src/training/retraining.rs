use std::sync::Arc;

use crate::model::swap::ModelSwap;
use crate::records::Records;
use crate::training::Training;

/// The parts of a training: its own state, the model that it may replace, and its records.
#[derive(Debug, Clone)]
pub(crate) struct Retraining {
    pub(crate) training: Arc<Training>,
    pub(crate) swap: ModelSwap,
    pub(crate) records: Arc<Records>,
}
