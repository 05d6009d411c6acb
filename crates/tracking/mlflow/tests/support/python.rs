use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// Runs given lines of Python, in one process: importing MLflow takes seconds.
const LOOP: &str = r#"
import json, sys, traceback
import mlflow
from mlflow import MlflowClient
client = MlflowClient()
for line in sys.stdin:
    scope = {"mlflow": mlflow, "client": client}
    try:
        exec(json.loads(line), scope)
        answer = {"result": scope.get("result")}
    except Exception:
        answer = {"error": traceback.format_exc()}
    print("answer:" + json.dumps(answer), flush=True)
"#;

/// The Python client of the reference environment.
pub(crate) struct Python {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts Python with a tracking server. The server is contacted later.
    pub(crate) fn start(server: &str) -> Self {
        let mut process = Command::new(super::reference("python"))
            .args(["-c", LOOP])
            .env("MLFLOW_TRACKING_URI", server)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    /// All data of the one run with a name: status, metrics by name as (step, value) in the order
    /// in which they arrived, parameters, tags, artifacts (for PNG files their mode, size and
    /// number of colours), inputs.
    #[track_caller]
    pub(crate) fn read_run(&mut self, experiment: &str, name: &str) -> Value {
        self.run(&format!(
            "experiment = client.get_experiment_by_name('{experiment}').experiment_id\n\
             runs = client.search_runs([experiment], \"run_name = '{name}'\")\n\
             assert len(runs) == 1, runs\n\
             run = runs[0]\n\
             history = lambda key: client.get_metric_history(run.info.run_id, key)\n\
             def content(uri):\n\
             \x20   if not uri.endswith('.png'): return mlflow.artifacts.load_text(uri)\n\
             \x20   picture = mlflow.artifacts.load_image(uri)\n\
             \x20   return dict(mode=picture.mode, size=picture.size, colours=len(picture.getcolors(1 << 24)))\n\
             artifacts, folders = {{}}, ['']\n\
             while folders:\n\
             \x20   for item in client.list_artifacts(run.info.run_id, folders.pop()):\n\
             \x20       if item.is_dir: folders.append(item.path)\n\
             \x20       else: artifacts[item.path] = content(run.info.artifact_uri + '/' + item.path)\n\
             result = dict(id=run.info.run_id, status=run.info.status, end=run.info.end_time,\n\
             \x20   metrics={{key: [(m.step, m.value if m.value == m.value else 'nan') for m in history(key)] for key in run.data.metrics}},\n\
             \x20   params=run.data.params, tags=run.data.tags, artifacts=artifacts,\n\
             \x20   inputs=[i.dataset.name for i in run.inputs.dataset_inputs])"
        ))
    }

    /// Runs a program, with `mlflow` and a `client`; returns its variable `result`.
    #[track_caller]
    pub(crate) fn run(&mut self, program: &str) -> Value {
        writeln!(self.input, "{}", Value::from(program)).unwrap();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "Python ended: {program}");
            let Some(answer) = line.strip_prefix("answer:") else { continue };
            let answer: Value = serde_json::from_str(answer).unwrap();
            assert!(
                answer.get("error").is_none(),
                "{}\n{program}",
                answer["error"].as_str().unwrap()
            );
            return answer["result"].clone();
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
