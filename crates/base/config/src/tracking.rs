use serde::{Deserialize, Serialize};

use crate::refusal::{Refusal, require};

/// The MLflow server that `train` and `evaluate` report their runs to. It does not affect any
/// result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrackingConfig {
    /// Whether runs are tracked. `MLFLOW_TRACKING_URI` in the environment also switches it on.
    pub enabled: bool,
    /// The server's address, unless `MLFLOW_TRACKING_URI` names another. Logins come from the
    /// environment.
    pub uri: String,
    /// The experiment that runs belong to, unless `MLFLOW_EXPERIMENT_NAME` or `…_ID` names another.
    /// Created if it is missing.
    pub experiment: String,
    /// Seconds between two measurements of the machine's load; 0 for none.
    pub system_metrics_seconds: u64,
}

impl Default for TrackingConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            uri: "http://127.0.0.1:5000".into(),
            experiment: "hounsfield".into(),
            // As the Python client does.
            system_metrics_seconds: 10,
        }
    }
}

impl TrackingConfig {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        require(
            self.uri.starts_with("http://") || self.uri.starts_with("https://"),
            "tracking.uri",
            format!("{:?}", self.uri),
            "an address that starts with http:// or https://",
        )?;
        require(
            !self.uri.contains('@'),
            "tracking.uri",
            "an address with a login",
            "no secret in this file: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD hold it",
        )?;
        require(
            !self.experiment.trim().is_empty(),
            "tracking.experiment",
            format!("{:?}", self.experiment),
            "a name",
        )
    }
}
