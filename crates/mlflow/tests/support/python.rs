use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// Runs lines of Python that it is given, in one process: importing MLflow takes seconds.
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
    /// Starts Python with a tracking server. The server is spoken to later.
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

    /// Runs a program, with `mlflow` and a `client`; what it leaves in `result` comes back.
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
