//! Delivers events that could not reach MLflow's server while the stages ran.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use mlflow::{SyncOutcome, SyncedRun};
use program::{CommonArguments, UsageError};
use serde_json::{Value, json};

/// Deliver records that the MLflow server could not take before
///
/// Goes through artifacts/tracking, oldest run first. To break it off, and to do it again, is safe:
/// each value arrives once. A run whose program died is marked as killed.
#[derive(Debug, Parser)]
#[command(name = "mlflow-sync", version, after_help = EXAMPLES)]
struct Arguments {
    /// Options of every program
    #[command(flatten)]
    common: CommonArguments,
}

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  mlflow-sync                                                    to tracking.uri of config.yaml
  MLFLOW_TRACKING_URI=https://mlflow.example.org mlflow-sync     to another server

Exit codes: 0 the server has everything, 1 it has not, 2 bad usage or configuration.";

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, run)
}

fn run(arguments: &Arguments) -> Result<()> {
    let config = arguments.common.settings()?.config;
    let folder = &config.paths.tracking;
    let server = tracking::demanded_server(&config.tracking, mlflow::environment)
        .map_err(|error| UsageError(error.to_string()))?;
    let runs = mlflow::sync(folder, &server)?;
    let lines: Vec<String> = runs.iter().map(in_words).collect();
    let text = match lines.as_slice() {
        [] => format!("nothing was tracked in {}", folder.display()),
        lines => lines.join("\n"),
    };
    let facts = json!({
        "program": "mlflow-sync",
        "server": server.server.to_string(),
        "runs": runs.iter().map(facts_of).collect::<Vec<_>>(),
    });
    arguments.common.print(&text, &facts)?;
    let failed = runs.iter().filter(|run| matches!(run.outcome, SyncOutcome::Failed(_))).count();
    if failed > 0 {
        bail!("deliver {failed} of {} runs; they wait in {}", runs.len(), folder.display());
    }
    Ok(())
}

fn facts_of(SyncedRun { folder, run, outcome, refused }: &SyncedRun) -> Value {
    let outcome = match outcome {
        SyncOutcome::Delivered => "delivered",
        SyncOutcome::NothingLeft => "delivered_before",
        SyncOutcome::InUse => "in_use",
        SyncOutcome::Failed(_) => "failed",
    };
    json!({
        "folder": folder,
        "run": run.as_ref().map(ToString::to_string),
        "outcome": outcome,
        "refused": refused,
    })
}

/// `artifacts/tracking/3f…: delivered to run 9a…`
fn in_words(SyncedRun { folder, run, outcome, refused }: &SyncedRun) -> String {
    let run = run.as_ref().map_or_else(String::new, |run| format!(" to run {run}"));
    let outcome = match outcome {
        SyncOutcome::Delivered => format!("delivered{run}"),
        SyncOutcome::NothingLeft => format!("was delivered before{run}"),
        SyncOutcome::InUse => "a running program is using it, and will deliver it".to_owned(),
        SyncOutcome::Failed(error) => format!("failed to {error}"),
    };
    let refused = match refused {
        0 => String::new(),
        count => format!("; {count} refused for good, see refused.jsonl in it"),
    };
    format!("{}: {outcome}{refused}", folder.display())
}
