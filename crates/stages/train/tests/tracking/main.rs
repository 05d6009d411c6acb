//! The real `train` program and a real MLflow server, read back through MLflow's own Python client.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

#[path = "../../../../tracking/mlflow/tests/support/mod.rs"]
mod support;

#[allow(dead_code)]
#[path = "../cli/project.rs"]
mod project;

mod running;

use std::fs;
use std::path::PathBuf;

use mlflow::{SyncOutcome, spooled_run, sync};
use rustix::process::Signal;
use serde_json::{Value, json};

use project::Project;
use running::Running;
use support::proxy::{Fault, FaultyProxy};
use support::python::Python;
use support::server::MlflowServer;

const EXPERIMENT: &str = "hounsfield";
const SECRET: &str = "open-sesame";

/// Epochs that take long enough to be interrupted.
const FINE_TUNED: &[(&str, &str)] =
    &[("freeze: all", "freeze: {until: block5_conv2}"), ("hidden_units: 0", "hidden_units: 16")];

/// Starting a server takes many seconds, so the parts of this test share one.
#[test]
fn tracking_never_costs_a_result_and_loses_nothing() {
    let mut server = MlflowServer::start();
    let mut python = Python::start(&server.url());
    server.wait();
    on_off_and_a_dead_server_make_the_same_bytes(&server, &mut python);
    a_server_in_trouble_is_in_nobodys_way(&server, &mut python);
    a_server_killed_in_the_middle_has_every_epoch_once(&mut server, &mut python);
    an_interrupted_training_goes_on_with_its_run(&server, &mut python);
    a_training_that_fails_says_so(&server, &mut python);
}

/// The only training that a project has tracked.
fn training(project: &Project) -> String {
    let folders = fs::read_dir(project.path("artifacts/tracking")).unwrap();
    let names = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names.into_iter().next().unwrap()
}

fn spool(project: &Project) -> PathBuf {
    project.path("artifacts/tracking").join(training(project))
}

/// The log of a training that tracks its run. On a busy machine a server that is well answers late.
fn succeed(project: &Project, server: &str, arguments: &[&str]) -> String {
    succeed_with_timeout(project, server, "30", arguments)
}

/// The same, with another limit on the seconds that one request may take.
fn succeed_with_timeout(
    project: &Project,
    server: &str,
    seconds: &str,
    arguments: &[&str],
) -> String {
    let mut command = project.train(arguments);
    let output = command
        .env("MLFLOW_TRACKING_URI", server)
        .env("MLFLOW_TRACKING_USERNAME", "ada")
        .env("MLFLOW_TRACKING_PASSWORD", SECRET)
        .env("MLFLOW_HTTP_REQUEST_TIMEOUT", seconds)
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    assert!(!log.contains(SECRET), "{log}");
    log
}

/// Delivers the remaining events, as `make mlflow-sync` does.
fn deliver_the_rest(project: &Project, server: &MlflowServer) {
    let settings = support::settings(&server.url(), &[]);
    for run in sync(&project.path("artifacts/tracking"), &settings).unwrap() {
        let is_there = matches!(run.outcome, SyncOutcome::Delivered | SyncOutcome::NothingLeft);
        assert!(is_there && run.refused == 0, "{run:?}");
    }
}

/// The column of `history.csv` as MLflow reports it.
fn history(project: &Project, column: &str) -> Value {
    let files = project.published();
    let (_, bytes) = files.iter().find(|(name, _)| name.ends_with("history.csv")).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut lines = text.lines().map(|line| line.split(','));
    let place = lines.next().unwrap().position(|name| name == column).unwrap();
    let value = |mut line: std::str::Split<'_, char>| line.nth(place).unwrap().parse().unwrap();
    lines.map(value).enumerate().map(|(index, value): (_, f64)| json!([index + 1, value])).collect()
}

/// Checks that the run has each epoch of the training once, in order, and is finished.
#[track_caller]
fn assert_whole(run: &Value, project: &Project) {
    assert_eq!(run["status"], "FINISHED");
    let metrics = [
        ("learning_rate", "learning_rate"),
        ("train/loss", "train_loss"),
        ("train/accuracy", "train_accuracy"),
        ("valid/loss", "valid_loss"),
        ("valid/accuracy", "valid_accuracy"),
    ];
    for (metric, column) in metrics {
        assert_eq!(run["metrics"][metric], history(project, column), "{metric}");
    }
    let artifacts: Vec<&String> = run["artifacts"].as_object().unwrap().keys().collect();
    assert_eq!(artifacts, ARTIFACTS);
    let curves = &run["artifacts"]["training/curves.png"];
    assert_eq!((&curves["mode"], &curves["size"]), (&json!("RGB"), &json!([1000, 880])));
    assert!(curves["colours"].as_u64().unwrap() > 20, "{curves}");
}

const ARTIFACTS: [&str; 5] = [
    "training/class_indices.json",
    "training/curves.png",
    "training/history.csv",
    "training/model_summary.txt",
    "training/params_used.json",
];

fn on_off_and_a_dead_server_make_the_same_bytes(server: &MlflowServer, python: &mut Python) {
    let off = Project::new(&[]);
    off.succeed(&[]);
    assert!(!off.path("artifacts/tracking").exists(), "nobody asked for tracking");

    let on = Project::new(&[]);
    let log = succeed(&on, &server.url(), &[]);
    assert!(log.contains("tracking the run") && !log.contains("behind"), "{log}");
    assert!(on.published() == off.published(), "tracking changed the result");
    let run = python.read_run(EXPERIMENT, &training(&on));
    assert_whole(&run, &on);
    assert_eq!(run["metrics"]["epoch_seconds"].as_array().unwrap().len(), 5);
    assert_eq!(run["metrics"]["images_per_second"].as_array().unwrap().len(), 5);
    for (name, value) in [
        ("train.descent.epochs", "5"),
        ("train.descent.schedule.kind", "constant"),
        ("ingest.sample.images", "600"),
        ("prepare_base.freeze", "all"),
        ("validation.policy.leaks", "warn"),
    ] {
        assert_eq!(run["params"][name], value, "{name}");
    }
    for (name, value) in
        [("mlflow.user", "ada"), ("mlflow.source.name", "train"), ("training", &training(&on))]
    {
        assert_eq!(run["tags"][name], value, "{name}");
    }
    assert_eq!(run["tags"]["data.digest"].as_str().unwrap().len(), 64);
    assert_eq!(run["inputs"], json!(["synthetic sample"]));
    assert!(run["artifacts"]["training/params_used.json"].as_str().unwrap().contains("machine"));
    assert!(!run.to_string().contains(SECRET));

    // For a finished training nothing new is logged.
    let events = fs::read(spool(&on).join("events.jsonl")).unwrap();
    succeed(&on, &server.url(), &[]);
    assert_eq!(fs::read(spool(&on).join("events.jsonl")).unwrap(), events);

    let dead = Project::new(&[]);
    let log = succeed(&dead, &test_server::closed_address(), &[]);
    assert!(dead.published() == off.published(), "a dead server changed the result");
    assert_eq!(log.matches("tracking is behind").count(), 1, "{log}");
    assert_eq!(log.matches("make mlflow-sync").count(), 1, "{log}");
    let kept = fs::read_to_string(spool(&dead).join("events.jsonl")).unwrap();
    assert!(!kept.contains(SECRET), "{kept}");
    // The same training elsewhere is another run, of the same name.
    let id = run["id"].as_str().unwrap();
    python.run(&format!("client.delete_run('{id}')"));
    deliver_the_rest(&dead, server);
    assert_whole(&python.read_run(EXPERIMENT, &training(&dead)), &dead);
}

fn a_server_in_trouble_is_in_nobodys_way(server: &MlflowServer, python: &mut Python) {
    let faults = [
        (31, Fault::Answer("500 Internal Server Error", "", "oops")),
        (32, Fault::Answer("429 Too Many Requests", "Retry-After: 60\r\n", "slow down")),
        (33, Fault::Answer("403 Forbidden", "", "<html><title>Blocked</title></html>")),
        (34, Fault::Silence),
    ];
    for (seed, fault) in faults {
        let seed = seed.to_string();
        let off = Project::new(&[]);
        off.succeed(&["--seed", &seed]);
        let proxy = FaultyProxy::start(server.port());
        proxy.set(fault.clone());
        let on = Project::new(&[]);
        let log = succeed_with_timeout(&on, &proxy.url(), "1", &["--seed", &seed]);
        assert!(on.published() == off.published(), "{fault:?} changed the result");
        assert_eq!(log.matches("tracking is behind").count(), 1, "{fault:?}: {log}");
        deliver_the_rest(&on, server);
        assert_whole(&python.read_run(EXPERIMENT, &training(&on)), &on);
    }
    // An invalid address only costs a log line.
    let project = Project::new(&[]);
    let log = succeed(&project, "./mlruns", &["--epochs", "1"]);
    assert_eq!(
        log.matches("tracking is off: failed to read MLFLOW_TRACKING_URI").count(),
        1,
        "{log}"
    );
}

fn a_server_killed_in_the_middle_has_every_epoch_once(
    server: &mut MlflowServer,
    python: &mut Python,
) {
    let project = Project::new(FINE_TUNED);
    let arguments = ["--epochs", "30"];
    let mut running = Running::start(&project, &server.url(), &arguments);
    running.wait_for("tracking the run");
    server.kill();
    running.wait_for("tracking is behind");
    running.wait_for("epoch ");
    running.signal(Signal::STOP);
    server.restart();
    server.wait();
    running.signal(Signal::CONT);
    let log = running.succeed();
    assert_eq!(log.matches("tracking is behind").count(), 1, "{log}");
    assert!(!log.contains("make mlflow-sync"), "not all was delivered at the end: {log}");

    let undisturbed = Project::new(FINE_TUNED);
    undisturbed.succeed(&arguments);
    assert!(project.published() == undisturbed.published(), "the server changed the result");
    assert_whole(&python.read_run(EXPERIMENT, &training(&project)), &project);
}

fn an_interrupted_training_goes_on_with_its_run(server: &MlflowServer, python: &mut Python) {
    let project = Project::new(FINE_TUNED);
    let arguments = ["--epochs", "12", "--seed", "41"];
    let mut first = Running::start(&project, &server.url(), &arguments);
    first.wait_for("tracking the run");
    first.wait_for("epoch 2/12");
    first.signal(Signal::INT);
    let log = first.die_of(Signal::INT);
    let id = spooled_run(&spool(&project)).unwrap().unwrap_or_else(|| panic!("{log}"));
    deliver_the_rest(&project, server);
    let run = python.read_run(EXPERIMENT, &training(&project));
    assert_eq!((&run["status"], &run["id"]), (&json!("KILLED"), &json!(id.as_str())));

    let mut second = Running::start(&project, &server.url(), &arguments);
    second.wait_for("going on after epoch");
    second.wait_for("epoch ");
    second.signal(Signal::KILL);
    second.die_of(Signal::KILL);

    let third = succeed(&project, &server.url(), &arguments);
    assert!(third.contains("going on after epoch"), "{third}");
    let run = python.read_run(EXPERIMENT, &training(&project));
    assert_eq!(run["id"], id.as_str());
    assert_whole(&run, &project);
}

fn a_training_that_fails_says_so(server: &MlflowServer, python: &mut Python) {
    let project = Project::new(&[("optimizer: adam ", "optimizer: sgd ")]);
    let mut command = project.train(&["--learning-rate", "1e38"]);
    let output = command.env("MLFLOW_TRACKING_URI", server.url()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    deliver_the_rest(&project, server);
    assert_eq!(python.read_run(EXPERIMENT, &training(&project))["status"], "FAILED");
}
