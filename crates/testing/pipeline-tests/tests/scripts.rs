//! The scripts behind `make repro` and `make control`, run on a small sample.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::fs;
use std::process::Output;

use pipeline_tests::{Sandbox, text};

/// A script's output, standard output before standard error.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

#[test]
fn a_control_is_scored_aside_and_leaves_everything_as_it_was() {
    let sandbox = Sandbox::new();
    sandbox.dvc(&["repro"]);
    sandbox.commit("first run");
    let scores = || text(sandbox.root().join("artifacts/evaluation/scores.json"));
    let ledger = || text(sandbox.root().join("test_looks.jsonl"));
    let before = (scores(), ledger());
    let control = sandbox.script("control", &[]);
    assert!(control.status.success(), "{}", said(&control));
    let printed = String::from_utf8_lossy(&control.stdout);
    assert!(printed.contains("This model was trained on shuffled labels"), "{printed}");
    assert!(printed.contains("macro average"), "{printed}");
    assert_eq!((scores(), ledger()), before);
    let changed = sandbox.git(&["status", "--porcelain"]).output;
    assert!(changed.is_empty(), "{changed}");
    let status = sandbox.dvc(&["status"]).output;
    assert!(status.contains("up to date"), "{status}");
}

#[test]
fn a_control_of_nothing_says_what_to_run_first() {
    let control = Sandbox::new().script("control", &[]);
    assert!(!control.status.success());
    assert!(said(&control).contains("first: make repro"), "{}", said(&control));
}

/// A server that is not needed: nothing is logged to it.
const SERVER: (&str, &str) = ("MLFLOW_TRACKING_URI", "http://127.0.0.1:9");

#[test]
fn a_repro_that_runs_nothing_says_that_it_tracked_nothing_and_how_to() {
    let sandbox = Sandbox::new();
    let first = sandbox.script("repro", &[]);
    assert!(first.status.success() && !said(&first).contains("nothing ran"), "{}", said(&first));
    let quiet = sandbox.script("repro", &[]);
    assert!(!said(&quiet).contains("nothing ran"), "nobody asked for tracking: {}", said(&quiet));
    let second = sandbox.script("repro", &[SERVER]);
    assert!(second.status.success(), "{}", said(&second));
    assert!(said(&second).contains("nothing ran, so nothing was tracked"), "{}", said(&second));
    assert!(said(&second).contains("AGAIN=1"), "{}", said(&second));

    let again = sandbox.script("repro", &[("AGAIN", "1")]);
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("Running stage 'train'"), "{}", said(&again));
    assert!(!said(&again).contains("Running stage 'ingest'"), "{}", said(&again));
    let changed = sandbox.dvc(&["status"]).output;
    assert!(changed.contains("up to date"), "to the same bytes: {changed}");
}

#[test]
fn a_key_that_dvc_does_not_look_at_is_refused_before_it_says_up_to_date() {
    let sandbox = Sandbox::new();
    let path = sandbox.root().join("params.yaml");
    fs::write(&path, text(&path).replace("train:\n", "train:\n  learning_rat: 0.1\n")).unwrap();
    let refused = sandbox.script("repro", &[]);
    assert!(!refused.status.success(), "{}", said(&refused));
    assert!(said(&refused).contains("learning_rat"), "{}", said(&refused));
    assert!(!said(&refused).contains("Running stage"), "{}", said(&refused));
}
