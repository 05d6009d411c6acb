use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::{Client, Done};
use crate::transport::Call;
use crate::wire;
use crate::{ExperimentId, Key, LoggedModelId, Mark, Metric, Param, Result, RunId, Tag, Timestamp};

/// Whether a logged model's files are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoggedModelStatus {
    /// Not yet.
    #[serde(rename = "LOGGED_MODEL_PENDING")]
    Pending,
    /// They are complete.
    #[serde(rename = "LOGGED_MODEL_READY")]
    Ready,
    /// They will not become complete.
    #[serde(rename = "LOGGED_MODEL_UPLOAD_FAILED")]
    UploadFailed,
}

/// A logged model to be created. Logged models are of MLflow 3; older servers answer 404.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLoggedModel {
    /// The experiment it belongs to.
    pub experiment: ExperimentId,
    /// Its name in the UI; it need not be unique.
    pub name: String,
    /// The kind of model: `classifier`.
    pub model_type: Option<String>,
    /// The run that trained it.
    pub source_run: Option<RunId>,
    /// Its parameters.
    pub params: Vec<Param>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The mark to find it by if the answer is lost.
    pub mark: Mark,
}

/// A logged model, as returned by the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "WireModel")]
pub struct LoggedModel {
    /// Its ID.
    pub id: LoggedModelId,
    /// The experiment it belongs to.
    pub experiment: ExperimentId,
    /// Its name.
    pub name: String,
    /// The URI of its files.
    pub artifact_uri: String,
    /// Whether they are complete.
    pub status: LoggedModelStatus,
    /// The run that trained it.
    pub source_run: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct WireModel {
    info: WireInfo,
    #[serde(default)]
    data: WireData,
}

#[derive(Debug, Deserialize)]
struct WireInfo {
    model_id: LoggedModelId,
    experiment_id: ExperimentId,
    #[serde(default)]
    name: String,
    artifact_uri: String,
    status: LoggedModelStatus,
    #[serde(default, deserialize_with = "wire::optional_text")]
    source_run_id: Option<String>,
    #[serde(default, deserialize_with = "wire::map")]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct WireData {
    #[serde(default, deserialize_with = "wire::map")]
    params: BTreeMap<String, String>,
}

impl From<WireModel> for LoggedModel {
    fn from(WireModel { info, data }: WireModel) -> Self {
        Self {
            id: info.model_id,
            experiment: info.experiment_id,
            name: info.name,
            artifact_uri: info.artifact_uri,
            status: info.status,
            source_run: info.source_run_id,
            tags: info.tags,
            params: data.params,
        }
    }
}

/// How many scores a request may contain.
const MOST_SCORES: usize = 500;

#[derive(Debug, Deserialize)]
struct One {
    model: LoggedModel,
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    models: Vec<LoggedModel>,
}

impl Client {
    /// Creates a logged model, once, however often the request had to be sent. Its files are
    /// uploaded to [`model_artifacts`](Self::model_artifacts); then
    /// [`finalise_logged_model`](Self::finalise_logged_model) marks them as complete.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn create_logged_model(&self, new: &NewLoggedModel) -> Result<LoggedModel> {
        let tags: Vec<Tag> = new.tags.iter().cloned().chain([new.mark.tag()]).collect();
        let mut body = json!({
            "experiment_id": new.experiment,
            "name": new.name,
            "params": new.params,
            "tags": tags,
        });
        let run = new.source_run.as_ref().map(RunId::as_str);
        for (field, value) in [("model_type", new.model_type.as_deref()), ("source_run_id", run)] {
            if let Some(value) = value {
                body[field] = value.into();
            }
        }
        let call = Call::post("create a logged model", "logged-models").json(&body);
        self.make_once(
            || self.transport.send_once::<One>(&call).map(|one| one.model),
            || self.find_logged_model(&new.experiment, &new.mark),
        )
    }

    /// The logged model of an experiment that was created with a mark. One attempt.
    fn find_logged_model(
        &self,
        experiment: &ExperimentId,
        mark: &Mark,
    ) -> Result<Option<LoggedModel>> {
        let body = json!({
            "experiment_ids": [experiment],
            "filter": mark.filter(),
            "max_results": 1,
        });
        let call = Call::post("look for the logged model", "logged-models/search").json(&body);
        let page: Page = self.transport.send_once(&call)?;
        Ok(page.models.into_iter().next())
    }

    /// The logged models of an experiment that a filter selects, such as
    /// `tags.digest = 'abc'`; the newest first.
    ///
    /// # Errors
    /// When the server refuses, as for a filter it cannot read, or cannot be reached.
    pub fn search_logged_models(
        &self,
        experiment: &ExperimentId,
        filter: &str,
    ) -> Result<Vec<LoggedModel>> {
        let body = json!({
            "experiment_ids": [experiment],
            "filter": filter,
            "order_by": [{ "field_name": "creation_timestamp", "ascending": false }],
        });
        let call = Call::post("search logged models", "logged-models/search").json(&body);
        Ok(self.transport.send::<Page>(&call)?.models)
    }

    /// Logs scores of a logged model, in the run that trained it.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn log_model_scores(
        &self,
        run: &RunId,
        id: &LoggedModelId,
        scores: &[(Key, f64)],
    ) -> Result<()> {
        let timestamp = Timestamp::now();
        let point = |(key, value): &(Key, f64)| {
            let metric = Metric { key: key.clone(), value: *value, timestamp, step: 0 };
            let mut point = json!(metric);
            point["model_id"] = id.as_str().into();
            point
        };
        for part in scores.chunks(MOST_SCORES) {
            let metrics: Vec<_> = part.iter().map(point).collect();
            let body = json!({ "run_id": run, "metrics": metrics });
            let call = Call::post("log the model's scores", "runs/log-batch").json(&body);
            self.transport.send::<Done>(&call)?;
        }
        Ok(())
    }

    /// A logged model.
    ///
    /// # Errors
    /// When the server does not have it, refuses or cannot be reached.
    pub fn logged_model(&self, id: &LoggedModelId) -> Result<LoggedModel> {
        let call = Call::get("read the logged model", "logged-models").segment(id.as_str());
        self.transport.send::<One>(&call).map(|one| one.model)
    }

    /// Sets whether a logged model's files are complete.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn finalise_logged_model(
        &self,
        id: &LoggedModelId,
        status: LoggedModelStatus,
    ) -> Result<()> {
        let body = json!({ "model_id": id, "status": status });
        let call = Call::patch("finalise the logged model", "logged-models")
            .segment(id.as_str())
            .json(&body);
        self.transport.send::<Done>(&call).map(drop)
    }

    /// Sets tags of a logged model.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn tag_logged_model(&self, id: &LoggedModelId, tags: &[Tag]) -> Result<()> {
        let body = json!({ "model_id": id, "tags": tags });
        let call = Call::patch("tag the logged model", "logged-models")
            .segment(id.as_str())
            .segment("tags")
            .json(&body);
        self.transport.send::<Done>(&call).map(drop)
    }

    /// Shows a logged model as an output of a run, at a step. Doing it again changes nothing.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn link_logged_model(&self, run: &RunId, id: &LoggedModelId, step: i64) -> Result<()> {
        let body = json!({ "run_id": run, "models": [{ "model_id": id, "step": step }] });
        let call = Call::post("link the logged model to its run", "runs/outputs").json(&body);
        match self.transport.send::<Done>(&call) {
            // The store's message for a link that already exists.
            Err(error) if error.status() == Some(400) && error.to_string().contains("UNIQUE") => {
                Ok(())
            }
            answer => answer.map(drop),
        }
    }
}
