use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::{Client, Done};
use crate::transport::Call;
use crate::wire;
use crate::{ExperimentId, Mark, Result, RunId, Tag, Timestamp};

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// Running.
    Running,
    /// Waits to be started.
    Scheduled,
    /// Finished.
    Finished,
    /// Ended with an error.
    Failed,
    /// Was interrupted.
    Killed,
}

/// A run to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The experiment it belongs to.
    pub experiment: ExperimentId,
    /// Its name; the server makes one up if there is none.
    pub name: Option<String>,
    /// When it started.
    pub start: Timestamp,
    /// Its first tags.
    pub tags: Vec<Tag>,
    /// The mark to find it by if the answer is lost.
    pub mark: Mark,
}

/// A run, as returned by the server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "WireRun")]
pub struct Run {
    /// Its ID.
    pub id: RunId,
    /// The experiment it belongs to.
    pub experiment: ExperimentId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: RunStatus,
    /// Whether it is in the server's bin.
    pub is_deleted: bool,
    /// The URI of its artifacts.
    pub artifact_uri: String,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The last value of each metric and its step.
    pub latest: BTreeMap<String, (f64, i64)>,
}

#[derive(Debug, Deserialize)]
struct WireRun {
    info: WireInfo,
    #[serde(default)]
    data: WireData,
}

#[derive(Debug, Deserialize)]
struct WireInfo {
    run_id: RunId,
    experiment_id: ExperimentId,
    #[serde(default)]
    run_name: String,
    status: RunStatus,
    #[serde(default)]
    lifecycle_stage: String,
    #[serde(default)]
    artifact_uri: String,
}

#[derive(Debug, Default, Deserialize)]
struct WireData {
    #[serde(default, deserialize_with = "wire::map")]
    params: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "wire::map")]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    metrics: Vec<WireMetric>,
}

#[derive(Debug, Deserialize)]
struct WireMetric {
    key: String,
    #[serde(with = "crate::entry::number")]
    value: f64,
    #[serde(default, deserialize_with = "wire::integer")]
    step: i64,
}

impl From<WireRun> for Run {
    fn from(WireRun { info, data }: WireRun) -> Self {
        let latest =
            data.metrics.into_iter().map(|metric| (metric.key, (metric.value, metric.step)));
        Self {
            id: info.run_id,
            experiment: info.experiment_id,
            name: info.run_name,
            status: info.status,
            is_deleted: info.lifecycle_stage == "deleted",
            artifact_uri: info.artifact_uri,
            params: data.params,
            tags: data.tags,
            latest: latest.collect(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct One {
    run: Run,
}

#[derive(Debug, Default, Deserialize)]
struct Page {
    #[serde(default)]
    runs: Vec<Run>,
    #[serde(default, deserialize_with = "wire::optional_text")]
    next_page_token: Option<String>,
}

/// How many runs are requested at a time.
const PAGE_RUNS: usize = 1000;

impl Client {
    /// Creates a run, once, however often the request had to be sent.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn create_run(&self, new: &NewRun) -> Result<Run> {
        let tags: Vec<Tag> = new.tags.iter().cloned().chain([new.mark.tag()]).collect();
        let user = new.tags.iter().find(|tag| tag.key.as_str() == "mlflow.user").map(Tag::value);
        let mut body = json!({
            "experiment_id": new.experiment,
            "start_time": new.start,
            "tags": tags,
        });
        for (field, value) in [("run_name", new.name.as_deref()), ("user_id", user)] {
            if let Some(value) = value {
                body[field] = value.into();
            }
        }
        let call = Call::post("create a run", "runs/create").json(&body);
        self.make_once(
            || self.transport.send_once::<One>(&call).map(|one| one.run),
            || self.find_run(&new.experiment, &new.mark),
        )
    }

    /// The run of an experiment that was created with a mark. One attempt.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn find_run(&self, experiment: &ExperimentId, mark: &Mark) -> Result<Option<Run>> {
        let body = json!({
            "experiment_ids": [experiment],
            "filter": mark.filter(),
            "max_results": 1,
        });
        let call = Call::post("look for the run", "runs/search").json(&body);
        let page: Page = self.transport.send_once(&call)?;
        Ok(page.runs.into_iter().next())
    }

    /// A run.
    ///
    /// # Errors
    /// When the server does not have it, refuses or cannot be reached.
    pub fn run(&self, id: &RunId) -> Result<Run> {
        let call = Call::get("read the run", "runs/get").query("run_id", id.as_str());
        self.transport.send::<One>(&call).map(|one| one.run)
    }

    /// Sets the state of a run, and its end time, if it has ended.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn update_run(&self, id: &RunId, status: RunStatus, end: Option<Timestamp>) -> Result<()> {
        let mut body = json!({ "run_id": id, "status": status });
        if let Some(end) = end {
            body["end_time"] = end.0.into();
        }
        let call = Call::post("update the run's status", "runs/update").json(&body);
        self.transport.send::<Done>(&call).map(drop)
    }

    /// The runs of experiments that a filter selects, such as `tags.data = 'abc' and metrics.loss <
    /// 1`; newest first, up to a maximum number.
    ///
    /// # Errors
    /// When the server refuses, for example a filter it cannot parse, or cannot be reached.
    pub fn search_runs(
        &self,
        experiments: &[ExperimentId],
        filter: &str,
        most: usize,
    ) -> Result<Vec<Run>> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let mut body = json!({
                "experiment_ids": experiments,
                "filter": filter,
                "max_results": (most - found.len()).min(PAGE_RUNS),
            });
            if let Some(token) = token {
                body["page_token"] = serde_json::Value::String(token);
            }
            let page: Page =
                self.transport.send(&Call::post("search runs", "runs/search").json(&body))?;
            found.extend(page.runs);
            token = page.next_page_token;
            if token.is_none() || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_from_the_servers_answer() {
        let json = r#"{"info": {"run_id": "r1", "experiment_id": "1", "run_name": "n",
            "status": "KILLED", "lifecycle_stage": "deleted", "artifact_uri": "s3://b/1", "new": 1},
            "data": {"params": [{"key": "a", "value": "b"}],
            "metrics": [{"key": "m", "value": "NaN", "timestamp": 5, "step": "2"}]}}"#;
        let run: Run = serde_json::from_str(json).unwrap();
        assert_eq!((run.id.as_str(), run.status, run.is_deleted), ("r1", RunStatus::Killed, true));
        assert_eq!(run.params["a"], "b");
        let (value, step) = run.latest["m"];
        assert!(value.is_nan() && step == 2);
    }
}
