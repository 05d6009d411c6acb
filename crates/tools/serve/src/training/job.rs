//! Hands a training over to another machine: `serve.training: job`.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use services::TrainingJob;
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long starting a job may take; the job itself takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The environment variable whose value, if there is one, is sent to a webhook as a bearer token.
const TOKEN: &str = "HOUNSFIELD_WEBHOOK_TOKEN";

/// The longest answer that is kept, in characters.
const LONGEST_ANSWER: usize = 500;

/// The request: as JSON to a webhook, as environment variables to a command.
#[derive(Debug, Clone, Serialize)]
pub(super) struct JobRequest {
    /// The id of the training in the server's records.
    pub(super) training: String,
    /// The registered model that the new version belongs to.
    pub(super) model: String,
    /// SHA-256 of the weights that answer now.
    pub(super) model_before: String,
    /// The name of the key of the request.
    pub(super) requested_by: String,
}

impl JobRequest {
    fn variables(&self) -> [(&'static str, &str); 4] {
        [
            ("HOUNSFIELD_TRAINING", &self.training),
            ("HOUNSFIELD_MODEL", &self.model),
            ("HOUNSFIELD_MODEL_BEFORE", &self.model_before),
            ("HOUNSFIELD_REQUESTED_BY", &self.requested_by),
        ]
    }
}

/// Starts the job, and returns what the other side answered.
///
/// # Errors
/// When it cannot be started, refuses, or does not answer in time.
pub(super) async fn start(job: &TrainingJob, request: JobRequest) -> Result<String> {
    match job {
        TrainingJob::Command(words) => command(words, &request).await,
        TrainingJob::Webhook(address) => {
            let address = address.clone();
            // The client blocks.
            spawn_blocking(move || webhook(&address, &request)).await.context("call the webhook")?
        }
    }
}

async fn command(words: &[String], request: &JobRequest) -> Result<String> {
    let (program, arguments) = words.split_first().context("start a job without a program")?;
    let running = Command::new(program)
        .args(arguments)
        .envs(request.variables())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, running)
        .await
        .with_context(|| format!("start the job: {program} took longer than a minute"))?
        .with_context(|| format!("start the job with {program}"))?;
    let said = last_line(if output.status.success() { &output.stdout } else { &output.stderr });
    if !output.status.success() {
        bail!("start the job: {program} ended with {}: {said}", output.status);
    }
    Ok(said)
}

fn webhook(address: &str, request: &JobRequest) -> Result<String> {
    // Another part of the program may have installed it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder()
        .timeout(PATIENCE)
        .build()
        .context("set up the client for the webhook")?;
    let mut call = client.post(address).json(request);
    if let Some(token) = std::env::var(TOKEN).ok().filter(|token| !token.is_empty()) {
        call = call.bearer_auth(token);
    }
    // Its address may hold a secret.
    let answer = call.send().map_err(reqwest::Error::without_url).context("call the webhook")?;
    let status = answer.status();
    if !status.is_success() {
        bail!("start the job: the webhook answered {status}");
    }
    Ok(format!("the webhook answered {status}"))
}

/// The last line that is not empty.
fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or("it printed nothing");
    terminal::shown(line).chars().take(LONGEST_ANSWER).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> JobRequest {
        JobRequest {
            training: "t-1".into(),
            model: "lungs".into(),
            model_before: "abc".into(),
            requested_by: "ward".into(),
        }
    }

    fn shell(script: &str) -> TrainingJob {
        TrainingJob::Command(["sh", "-c", script].map(str::to_owned).to_vec())
    }

    #[tokio::test]
    async fn a_command_learns_about_the_request_and_its_last_line_is_kept() {
        let script = "echo; echo Submitted $HOUNSFIELD_TRAINING for $HOUNSFIELD_REQUESTED_BY; echo";
        assert_eq!(start(&shell(script), request()).await.unwrap(), "Submitted t-1 for ward");
    }

    #[tokio::test]
    async fn a_command_that_fails_says_why() {
        let error = start(&shell("echo no queue >&2; exit 3"), request()).await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("exit status: 3") && text.contains("no queue"), "{text}");
        let missing = TrainingJob::Command(vec!["/no/such/program".into()]);
        let text = format!("{:#}", start(&missing, request()).await.unwrap_err());
        assert!(text.contains("/no/such/program"), "{text}");
    }

    #[tokio::test]
    async fn a_webhook_that_cannot_be_reached_is_an_error_without_its_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/secret", listener.local_addr().unwrap());
        drop(listener);
        let error = start(&TrainingJob::Webhook(address), request()).await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("call the webhook") && !text.contains("secret"), "{text}");
    }
}
