//! Datasets as inputs of a run.

use serde_json::json;

use crate::client::{Client, Done};
use crate::transport::Call;
use crate::{Dataset, Result, RunId};

impl Client {
    /// Logs datasets as inputs of a run. Logging one again changes nothing.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn log_inputs(&self, run: &RunId, datasets: &[Dataset]) -> Result<()> {
        let datasets: Vec<_> = datasets.iter().map(input).collect();
        let body = json!({ "run_id": run, "datasets": datasets });
        let call = Call::post("log the dataset", "runs/log-inputs").json(&body);
        self.transport.send::<Done>(&call).map(drop)
    }
}

fn input(dataset: &Dataset) -> serde_json::Value {
    let fields = dataset.fields();
    let context = fields.context.as_ref();
    let tags: Vec<_> = context
        .map(|context| json!({ "key": "mlflow.data.context", "value": context }))
        .into_iter()
        .collect();
    let mut dataset = json!({
        "name": fields.name,
        "digest": fields.digest,
        "source_type": fields.source_type,
        "source": fields.source,
    });
    for (field, text) in [("schema", &fields.schema), ("profile", &fields.profile)] {
        if let Some(text) = text {
            dataset[field] = text.as_str().into();
        }
    }
    json!({ "tags": tags, "dataset": dataset })
}
