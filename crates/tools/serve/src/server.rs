//! The data that requests share, in parts. A handler takes the parts that it needs, and no part
//! knows the whole.

use std::sync::Arc;

use axum::extract::FromRef;
use services::ServeConfig;

use crate::drift::watch::DriftWatch;
use crate::guard::roles::Guard;
use crate::intake::Intake;
use crate::lifecycle::Lifecycle;
use crate::listen::connections::Connections;
use crate::listen::listening::Listening;
use crate::meters::Meters;
use crate::model::host::ModelHost;
use crate::model::swap::ModelSwap;
use crate::own_task::OwnTasks;
use crate::predict::Predictor;
use crate::records::Records;
use crate::routes::feedback::Corrector;
use crate::training::Training;
use crate::training::retraining::Retraining;

/// Every part.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) settings: Arc<ServeConfig>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) host: Arc<ModelHost>,
    pub(crate) records: Arc<Records>,
    pub(crate) training: Arc<Training>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) own_tasks: Arc<OwnTasks>,
    pub(crate) drift: Arc<DriftWatch>,
}

/// A handler takes a part by `State<Arc<…>>`.
macro_rules! parts {
    ($($field:ident: $part:ty),* $(,)?) => {
        $(impl FromRef<Server> for Arc<$part> {
            fn from_ref(server: &Server) -> Self {
                Arc::clone(&server.$field)
            }
        })*
    };
}

parts! {
    settings: ServeConfig,
    lifecycle: Lifecycle,
    intake: Intake,
    host: ModelHost,
    records: Records,
    training: Training,
    meters: Meters,
    connections: Connections,
    own_tasks: OwnTasks,
    drift: DriftWatch,
}

/// Several parts that belong together, each under its own name.
macro_rules! joined {
    ($($joined:ident { $($field:ident),* })*) => {
        $(impl FromRef<Server> for $joined {
            fn from_ref(server: &Server) -> Self {
                Self { $($field: FromRef::from_ref(server)),* }
            }
        })*
    };
}

joined! {
    Listening { settings, lifecycle, connections }
    Predictor { settings, intake, host, records, meters, own_tasks }
    ModelSwap { host, training, meters }
    Retraining { training, swap, records }
    Corrector { settings, intake, host, records, training, own_tasks }
}
