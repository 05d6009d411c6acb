//! The whole pipeline, run by dvc with the real programs on a small sample.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pipeline_tests::{Sandbox, dvc_in};
use walkdir::WalkDir;

const STAGES: [&str; 8] =
    ["programs", "ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"];

/// The stages that run again after a change of the training's parameters.
const FROM_TRAINING_ON: [&str; 4] = ["train", "select", "calibrate", "evaluate"];

/// Every file below the folders that the stages write, except those that DVC does not track.
fn results(root: &Path) -> BTreeMap<String, Vec<u8>> {
    [
        "artifacts/base_model",
        "artifacts/data_ingestion",
        "artifacts/data_validation",
        "artifacts/evaluation",
        "artifacts/model_training",
        "model",
    ]
    .iter()
    .flat_map(|folder| WalkDir::new(root.join(folder)))
    .map(|entry| entry.unwrap().into_path())
    .filter(|path| path.is_file())
    .map(|path| {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        (name, fs::read(&path).unwrap())
    })
    .collect()
}

#[test]
fn a_second_repro_runs_nothing_and_a_changed_param_only_what_depends_on_it() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.dvc(&["repro"]).stages_run(), STAGES);
    assert_eq!(sandbox.dvc(&["repro"]).stages_run(), [""; 0]);
    sandbox.commit("first run");

    let changed = sandbox.dvc(&["exp", "run", "-S", "train.seed=18"]);
    assert_eq!(changed.stages_run(), FROM_TRAINING_ON);
    let differences = sandbox.dvc(&["params", "diff"]).output;
    assert!(differences.contains("train.seed"), "{differences}");

    let changed = sandbox.dvc(&["exp", "run", "-S", "prepare_base.seed=18"]);
    assert_eq!(changed.stages_run(), ["prepare-base", "train", "select", "calibrate", "evaluate"]);
}

/// `--temp` and `--queue` run in a clone without `.venv` and `target`.
#[test]
fn an_experiment_runs_in_a_workspace_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.dvc(&["repro"]);
    sandbox.commit("first run");
    let run = sandbox.dvc(&["exp", "run", "--temp", "-S", "train.seed=19"]);
    assert_eq!(run.stages_run(), FROM_TRAINING_ON);
    let changed = sandbox.git(&["status", "--porcelain"]).output;
    assert!(changed.is_empty(), "the project itself changed: {changed}");
}

#[test]
fn two_runs_from_nothing_make_the_same_bytes() {
    let first = Sandbox::new();
    first.dvc(&["repro"]);
    let second = Sandbox::new();
    second.dvc(&["repro"]);
    let (first, second) = (results(first.root()), results(second.root()));
    assert!(first.len() > 48, "{:?}", first.keys());
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    let differing: Vec<_> = first.iter().filter(|(name, bytes)| second[*name] != **bytes).collect();
    assert!(
        differing.is_empty(),
        "{:?}",
        differing.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
}

#[test]
fn a_colleague_pulls_what_was_pushed() {
    let sandbox = Sandbox::new();
    sandbox.dvc(&["repro"]);
    let remote = sandbox.beside("remote");
    sandbox.dvc(&["remote", "add", "--default", "shelf", remote.to_str().unwrap()]);
    sandbox.commit("results");
    sandbox.dvc(&["push"]);

    let clone = sandbox.cloned("colleague");
    dvc_in(&clone, &["pull"]);
    assert!(results(&clone) == results(sandbox.root()), "pulled files differ from those pushed");
    assert_eq!(dvc_in(&clone, &["repro"]).stages_run(), [""; 0]);
}

#[test]
fn scores_and_plots_are_shown() {
    let sandbox = Sandbox::new();
    sandbox.dvc(&["repro"]);

    let metrics = sandbox.dvc(&["metrics", "show", "--json"]).output;
    let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
    // Experiments are ranked by these metrics, which do not use the test split.
    let files: Vec<_> = metrics[""]["data"].as_object().unwrap().keys().collect();
    assert_eq!(files, ["model/metrics.json"]);
    let scores = &metrics[""]["data"]["model/metrics.json"]["data"];
    for score in ["cv_accuracy", "valid_accuracy"] {
        let accuracy = scores[score].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&accuracy), "{scores}");
    }

    let plots = sandbox.dvc(&["plots", "show", "--json"]).output;
    let plots: serde_json::Value = serde_json::from_str(&plots).unwrap();
    assert!(plots.get("errors").is_none(), "{plots}");
    for (plot, rows) in
        [("Loss", 2), ("Accuracy", 2), ("Confusion matrix", 4), ("ROC", 8), ("Reliability", 10)]
    {
        let drawn = plots["data"][plot][0]["content"]["data"]["values"].as_array().unwrap();
        assert!(drawn.len() >= rows, "{plot} shows {} rows", drawn.len());
    }
}
