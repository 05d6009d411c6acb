//! One pipeline run is one run on an MLflow server, and has no effect on `dvc`.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

#[path = "../../../tracking/mlflow/tests/support/mod.rs"]
mod support;

use std::fs;

use pipeline_tests::{Sandbox, text};
use serde_json::{Value, json};

use support::python::Python;
use support::server::MlflowServer;

const STAGES: [&str; 8] =
    ["programs", "ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"];

const EVALUATION: [&str; 6] = [
    "evaluation/confusion_matrix.csv",
    "evaluation/predictions.csv",
    "evaluation/reliability.csv",
    "evaluation/report.html",
    "evaluation/roc.csv",
    "evaluation/scores.json",
];

const PICTURES: [&str; 3] = [
    "training/curves.png",
    "evaluation/confusion_matrix.png",
    "evaluation/predictions/sheet_1.png",
];

/// Every file in DVC or git, except the configuration itself.
fn locked(sandbox: &Sandbox) -> (String, String) {
    let scores = text(sandbox.root().join("artifacts/evaluation/scores.json"));
    (text(sandbox.root().join("dvc.lock")), scores)
}

fn track(sandbox: &Sandbox, server: &str) {
    let file = sandbox.root().join("config.yaml");
    let tracking = format!("\ntracking:\n  enabled: true\n  uri: {server}\n  experiment: whole\n");
    fs::write(&file, text(&file) + &tracking).unwrap();
}

/// The runs of an experiment: names, in the order of their starts.
fn names(python: &mut Python) -> Value {
    python.run(
        "experiment = client.get_experiment_by_name('whole').experiment_id\n\
         runs = client.search_runs([experiment], order_by=['start_time ASC'])\n\
         result = [run.info.run_name for run in runs]",
    )
}

#[test]
fn training_and_evaluation_are_one_run_and_dvc_notices_nothing() {
    let mut server = MlflowServer::start();
    let mut python = Python::start(&server.url());
    server.wait();
    let sandbox = Sandbox::new();
    track(&sandbox, &server.url());
    assert_eq!(sandbox.dvc(&["repro"]).stages_run(), STAGES);

    let runs = names(&mut python);
    let [name] = &runs.as_array().unwrap()[..] else { panic!("one run, not {runs}") };
    let run = python.read_run("whole", name.as_str().unwrap());
    assert_eq!(run["status"], "FINISHED");
    let scores: Value = serde_json::from_str(&locked(&sandbox).1).unwrap();
    assert_eq!(run["metrics"]["test/accuracy"], json!([[0, scores["accuracy"]]]));
    let of_normal = &scores["classes"]["normal"]["auroc"];
    assert_eq!(run["metrics"]["test/classes/normal/auroc"], json!([[0, of_normal]]));
    assert_eq!(run["metrics"]["valid/accuracy"].as_array().unwrap().len(), 1, "it was solved");
    assert!(run["metrics"].get("cv/accuracy").is_some());
    assert_eq!(run["metrics"]["test_looks/models"], json!([[0, 1.0]]));
    assert_eq!(run["artifacts"]["evaluation/scores.json"], locked(&sandbox).1);
    for file in EVALUATION {
        assert!(run["artifacts"].get(file).is_some(), "{file}");
    }
    for name in PICTURES {
        let picture = &run["artifacts"][name];
        let width = picture["size"][0].as_u64().unwrap_or_else(|| panic!("{name}: {picture}"));
        assert!((800..=1200).contains(&width), "{name}: {picture}");
        assert!(picture["colours"].as_u64().unwrap() > 20, "{name}: {picture}");
    }
    for (name, value) in [("train.solve.folds", "2"), ("evaluate.bootstrap_resamples", "100")] {
        assert_eq!(run["params"][name], value, "{name}");
    }
    let head = sandbox.git(&["rev-parse", "HEAD"]).output;
    for tag in ["mlflow.source.git.commit", "dvc.revision"] {
        assert_eq!(run["tags"][tag], head.trim(), "{tag}");
    }
    assert_eq!(run["inputs"].as_array().unwrap().len(), 2, "training and test images");

    // Neither git nor DVC sees the files kept for the server, and tracking makes no difference.
    let before = locked(&sandbox);
    let changed = sandbox.git(&["status", "--porcelain", "artifacts/tracking"]).output;
    assert_eq!(changed, "");
    sandbox.git(&["checkout", "--quiet", "config.yaml"]);
    assert_eq!(sandbox.dvc(&["repro"]).stages_run(), [""; 0]);
    // The same again without tracking gives the same bytes.
    sandbox.dvc(&["repro", "--force", "--single-item", "--no-run-cache", "train", "evaluate"]);
    assert_eq!(locked(&sandbox), before);

    // An experiment is a separate run, with its own name.
    track(&sandbox, &server.url());
    sandbox.commit("tracked");
    sandbox.dvc(&["exp", "run", "--name", "slower", "-S", "train.seed=18"]);
    assert_eq!(names(&mut python), json!([name, "slower"]));
    let run = python.read_run("whole", "slower");
    assert_eq!(run["tags"]["dvc.experiment"], "slower");
    assert_eq!(run["params"]["train.seed"], "18");
    assert!(run["metrics"].get("test/accuracy").is_some());
}
