//! `MLmodel`, MLflow's description of a model: flavors, signature, example.
//!
//! Format: <https://mlflow.org/docs/latest/ml/model/#storage-format>, and what
//! `mlflow.models.Model.to_yaml` of MLflow 3.17 writes.

use classifier::description::ModelDescription;
use mlflow::{LoggedModelId, RunId};
use serde_json::{Value, json};

use crate::environment::{CONDA_FILE, PYTHON, VIRTUALENV_FILE, yaml};
use crate::example::{EXAMPLE_FILE, SERVING_FILE};

/// The file's name.
pub(crate) const FILE: &str = "MLmodel";
/// The module that `mlflow.pyfunc` imports.
pub(crate) const LOADER_MODULE: &str = "hounsfield_model";

/// The server's IDs for a model.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The logged model.
    pub model: &'a LoggedModelId,
    /// The run that trained it, if the server has it.
    pub run: Option<&'a RunId>,
}

/// The text of `MLmodel`.
pub(crate) fn text(description: &ModelDescription, identity: Identity<'_>) -> String {
    let mut file = json!({
        "artifact_path": format!("models:/{}", identity.model),
        "flavors": {
            "python_function": {
                "code": "code",
                "data": "data",
                "env": { "conda": CONDA_FILE, "virtualenv": VIRTUALENV_FILE },
                "loader_module": LOADER_MODULE,
                "python_version": PYTHON,
            },
            "hounsfield": {
                "format": description.format,
                "notice": description.notice,
                "training": description.source.run,
                "weights_sha256": description.digests.weights,
            },
        },
        "is_signature_from_type_hint": false,
        "mlflow_version": "3.17.2",
        "model_id": identity.model,
        "model_uuid": identity.model,
        "saved_input_example_info": {
            "artifact_path": EXAMPLE_FILE,
            "pandas_orient": "split",
            "serving_input_path": SERVING_FILE,
            "type": "dataframe",
        },
        "signature": signature(description),
        "type_hint_from_example": false,
    });
    if let Some(run) = identity.run {
        file["run_id"] = run.as_str().into();
    }
    yaml(&file)
}

/// Input: a column `image` with the bytes of a picture file. Output: columns as in
/// `predictions.csv`.
fn signature(description: &ModelDescription) -> Value {
    let column = |kind: &str, name: &str| json!({ "type": kind, "name": name, "required": true });
    let probabilities = description
        .architecture
        .classes
        .iter()
        .map(|class| column("double", &format!("prob_{class}")));
    let outputs: Vec<Value> = [column("string", "predicted"), column("double", "confidence")]
        .into_iter()
        .chain(probabilities)
        .collect();
    // Each list is text within the YAML: that is MLflow's format.
    json!({
        "inputs": json!([column("binary", "image")]).to_string(),
        "outputs": Value::from(outputs).to_string(),
        "params": null,
    })
}
