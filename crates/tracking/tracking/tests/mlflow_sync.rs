//! The real program in a temporary folder.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn sync(folder: &Path, server: &str) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    for file in ["config.yaml", "params.yaml"] {
        fs::copy(root.join(file), folder.join(file)).unwrap();
    }
    Command::new(env!("CARGO_BIN_EXE_mlflow-sync"))
        .current_dir(folder)
        .env("MLFLOW_TRACKING_URI", server)
        .env_remove("HOUNSFIELD_LOG")
        .output()
        .unwrap()
}

/// Leaves a spool as a program that could not reach its server.
fn leave(spool: &Path, server: &str) {
    let tracking = mlflow::Tracking {
        settings: mlflow::Settings::for_server(server, |_| None).unwrap(),
        spool: spool.to_owned(),
        name: None,
        tags: Vec::new(),
        repeated: mlflow::RepeatedPoint::KeepFirst,
        system_metrics: None,
    };
    let tracker = mlflow::Tracker::start(tracking);
    tracker.finish(mlflow::RunStatus::Finished, std::time::Duration::ZERO);
}

#[test]
fn where_nothing_is_left_no_server_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let output = sync(folder.path(), &test_server::closed_address());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "nothing was tracked in artifacts/tracking\n");
}

#[test]
fn without_a_server_it_fails_in_one_line_and_keeps_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = test_server::closed_address();
    let spool = folder.path().join("artifacts/tracking/abc");
    leave(&spool, &server);
    let events = fs::read(spool.join("events.jsonl")).unwrap();
    let output = sync(folder.path(), &server);
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("no server is running there") && log.lines().count() == 1, "{log}");
    assert_eq!(fs::read(spool.join("events.jsonl")).unwrap(), events);
}

#[test]
fn a_server_that_is_none_is_a_bad_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let output = sync(folder.path(), "./mlruns");
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(log.contains("MLFLOW_TRACKING_URI"), "{log}");
}
