use serde::Deserialize;
use serde_json::json;

use crate::client::Client;
use crate::error::Failure;
use crate::transport::Call;
use crate::{Error, ExperimentChoice, ExperimentId, Result};

#[derive(Debug, Deserialize)]
struct Found {
    experiment: Experiment,
}

#[derive(Debug, Deserialize)]
struct Experiment {
    experiment_id: ExperimentId,
    #[serde(default)]
    lifecycle_stage: String,
}

#[derive(Debug, Deserialize)]
struct Created {
    experiment_id: ExperimentId,
}

/// The tag for the purpose of an experiment, and MLflow's value for trained models
/// (`mlflow/utils/mlflow_tags.py` and the page's `ExperimentKind`).
const EXPERIMENT_KIND: &str = "mlflow.experimentKind";
const CUSTOM_MODEL_DEVELOPMENT: &str = "custom_model_development";

const FIND: &str = "find the experiment";

impl Client {
    /// The ID of an experiment, which is created if it has a name and does not exist.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached, or the experiment of that name was deleted.
    pub fn experiment(&self, choice: &ExperimentChoice) -> Result<ExperimentId> {
        match choice {
            ExperimentChoice::Unspecified => Ok(ExperimentId("0".to_owned())),
            ExperimentChoice::Id(id) => Ok(id.clone()),
            ExperimentChoice::Name(name) => match self.experiment_by_name(name)? {
                Some(id) => Ok(id),
                None => self.create_experiment(name),
            },
        }
    }

    fn experiment_by_name(&self, name: &str) -> Result<Option<ExperimentId>> {
        let call = Call::get(FIND, "experiments/get-by-name").query("experiment_name", name);
        let Found { experiment } = match self.transport.send(&call) {
            Ok(found) => found,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        if experiment.lifecycle_stage == "deleted" {
            let reason = format!(
                "{name:?} was deleted; restore it, or name another with MLFLOW_EXPERIMENT_NAME"
            );
            let failure = Failure::Unusable { reason };
            return Err(Error::request(FIND, self.server().to_string(), failure));
        }
        Ok(Some(experiment.experiment_id))
    }

    fn create_experiment(&self, name: &str) -> Result<ExperimentId> {
        // The kind decides which view MLflow's page opens: this experiment shows its training runs,
        // not traces of a language model.
        let kind = json!({ "key": EXPERIMENT_KIND, "value": CUSTOM_MODEL_DEVELOPMENT });
        let body = json!({ "name": name, "tags": [kind] });
        let call = Call::post("create an experiment", "experiments/create").json(&body);
        match self.transport.send::<Created>(&call) {
            Ok(created) => Ok(created.experiment_id),
            // Another client was faster, or our own first request arrived after all.
            Err(error) if error.is_already_there() => self.experiment_by_name(name)?.ok_or(error),
            Err(error) => Err(error),
        }
    }
}
