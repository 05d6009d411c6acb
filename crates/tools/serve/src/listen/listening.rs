use std::sync::Arc;

use services::ServeConfig;

use crate::lifecycle::Lifecycle;
use crate::listen::connections::Connections;

/// The data that connections share.
#[derive(Debug, Clone)]
pub(crate) struct Listening {
    pub(crate) settings: Arc<ServeConfig>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) connections: Arc<Connections>,
}
