//! The real `train` program in a temporary folder.

mod features;
mod project;
mod solved;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use artifact::Digest;
use dataset::ValidatedManifest;
use project::Project;

/// The cases that every test must pass: the whole base frozen with its features kept, and a part of
/// the base learning on fresh views with dropout.
const FROZEN: &[(&str, &str)] = &[];
const FINE_TUNED: &[(&str, &str)] = &[
    ("freeze: all", "freeze: {until: block5_conv2}"),
    ("hidden_units: 0", "hidden_units: 16"),
    ("dropout: 0.0", "dropout: 0.5"),
    ("rotation_degrees: 0.0", "rotation_degrees: 15.0"),
    ("zoom: 0.0", "zoom: 0.2"),
    ("optimizer: adam ", "optimizer: rmsprop "),
];
const IN_TURN: &[(&str, &str)] =
    &[("width_shift: 0.0", "width_shift: 0.1"), ("views: 0", "views: 2")];

/// Reads the log until a line contains `part`; the rest is read too, and dropped.
fn wait_for(child: &mut Child, part: &str) {
    let log = BufReader::new(child.stderr.take().expect("a piped log"));
    let mut seen = String::new();
    let mut lines = log.lines();
    while let Some(line) = lines.next() {
        let line = line.expect("a log line");
        if line.contains(part) {
            std::thread::spawn(move || lines.for_each(drop));
            return;
        }
        seen += &line;
    }
    panic!("the program ended before {part:?}: {seen}");
}

#[track_caller]
fn assert_survives_kills(changes: &[(&str, &str)]) {
    let undisturbed = Project::new(changes);
    undisturbed.succeed(&[]);
    let killed = Project::new(changes);
    for line in ["run ", "epoch 1/5", "epoch 2/5", "epoch 4/5"] {
        let mut child = killed.train(&[]).stderr(Stdio::piped()).spawn().expect("a process");
        wait_for(&mut child, line);
        child.kill().expect("SIGKILL");
        child.wait().expect("the end of the process");
    }
    let log = killed.succeed(&[]);
    assert!(log.contains("going on after epoch"), "{log}");
    assert_eq!(killed.published().len(), 5 + 4, "five checkpoints and four descriptions");
    assert!(killed.published() == undisturbed.published(), "the killed run ended with other bytes");
}

#[test]
fn a_frozen_run_killed_again_and_again_ends_with_the_same_bytes() {
    assert_survives_kills(FROZEN);
}

#[test]
fn a_fine_tuning_run_killed_again_and_again_ends_with_the_same_bytes() {
    assert_survives_kills(FINE_TUNED);
}

#[test]
fn the_work_folder_is_gone_after_a_finished_run() {
    let project = Project::new(FROZEN);
    project.succeed(&[]);
    let left = fs::read_dir(project.path("artifacts/training_work")).expect("the folder").count();
    assert_eq!(left, 0);
}

#[test]
fn a_run_that_is_trained_already_is_not_trained_again() {
    let project = Project::new(FROZEN);
    project.succeed(&[]);
    let again = project.run(&[]);
    assert!(again.status.success());
    let result = String::from_utf8(again.stdout).expect("text");
    assert!(result.contains("trained already"), "{result}");
}

#[test]
fn a_damaged_published_run_is_trained_again() {
    let project = Project::new(FROZEN);
    project.succeed(&[]);
    let before = project.published();
    let (name, _) = before.iter().find(|(name, _)| is_checkpoint(name)).expect("one");
    fs::write(project.path("artifacts/model_training").join(name), b"damaged").expect("writable");
    project.succeed(&[]);
    assert!(project.published() == before, "the damaged run was not made again");
}

fn is_checkpoint(name: &std::path::Path) -> bool {
    name.extension().is_some_and(|extension| extension == "safetensors")
}

#[test]
fn another_seed_is_another_run_with_other_bytes() {
    let project = Project::new(FINE_TUNED);
    project.succeed(&["--epochs", "1"]);
    project.succeed(&["--epochs", "1", "--seed", "18"]);
    let folders = fs::read_dir(project.path("artifacts/model_training")).expect("a folder").count();
    assert_eq!(folders, 2);
    let history = |files: &[(std::path::PathBuf, Vec<u8>)]| -> Vec<Vec<u8>> {
        let is_history = |name: &std::path::Path| name.ends_with("history.csv");
        files.iter().filter(|(name, _)| is_history(name)).map(|(_, bytes)| bytes.clone()).collect()
    };
    let histories = history(&project.published());
    assert_ne!(histories[0], histories[1]);
}

#[test]
fn bright_and_dark_are_learnt_and_not_with_permuted_labels() {
    let project = Project::new(FROZEN);
    let learnt = String::from_utf8(project.run(&["--learning-rate", "0.05"]).stdout).expect("text");
    assert!(learnt.contains("best validation accuracy 1.0000"), "{learnt}");
    let control = project.succeed(&["--permute-labels"]);
    assert!(control.contains("training labels are shuffled"), "{control}");
}

#[test]
fn a_loss_that_is_not_finite_stops_with_the_epoch_and_publishes_nothing() {
    let project = Project::new(&[("optimizer: adam ", "optimizer: sgd ")]);
    let log = project.fail(1, &["--learning-rate", "1e38"]);
    assert!(
        log.contains("the loss of epoch 1 is") && log.contains("train.descent.learning_rate"),
        "{log}"
    );
    assert!(project.published().is_empty());
}

#[test]
fn two_processes_cannot_train_the_same_run_at_once() {
    let project = Project::new(FINE_TUNED);
    let mut first =
        project.train(&["--epochs", "500"]).stderr(Stdio::piped()).spawn().expect("a process");
    wait_for(&mut first, "epoch 1/500");
    let log = project.fail(1, &["--epochs", "500"]);
    first.kill().expect("SIGKILL");
    first.wait().expect("the end of the process");
    assert!(log.contains("another train process works on the same run"), "{log}");
}

#[test]
fn missing_inputs_say_which_stage_makes_them() {
    let project = Project::new(FROZEN);
    fs::remove_dir_all(project.path("artifacts/base_model")).expect("removable");
    assert!(project.fail(1, &[]).contains("run prepare-base first"));
    fs::remove_dir_all(project.path("artifacts/data_validation")).expect("removable");
    assert!(project.fail(1, &[]).contains("run validate first"));
}

#[test]
fn a_changed_base_is_refused() {
    let project = Project::new(FROZEN);
    let path = project.path("artifacts/base_model/updated_base_model.safetensors");
    let mut bytes = fs::read(&path).expect("the base");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&path, bytes).expect("writable");
    let log = project.fail(1, &[]);
    assert!(log.contains("updated_base_model.safetensors") && log.contains("recorded"), "{log}");
}

#[test]
fn an_image_that_cannot_be_decoded_is_named() {
    let project = Project::new(FROZEN);
    project.replace_image("train/dark/7.png", b"not an image");
    let folders = ["artifacts/data_validation", "artifacts/data_ingestion"];
    let [validation, images] = folders.map(|folder| project.path(folder));
    let manifest = ValidatedManifest::read(&validation, &images).expect("a manifest");
    let mut records = manifest.records().to_vec();
    let record = records.iter_mut().find(|record| record.image.path == "train/dark/7.png");
    record.expect("the image").image.sha256 = Digest::of(b"not an image");
    ValidatedManifest::new(&images, records).write(&validation).expect("writable");
    let log = project.fail(1, &[]);
    assert!(log.contains("decode") && log.contains("train/dark/7.png"), "{log}");
}

#[test]
fn an_image_that_changed_since_ingest_is_not_learnt_in_place_of_the_recorded_one() {
    let project = Project::new(FROZEN);
    let other = fs::read(project.path("artifacts/data_ingestion/train/bright/0.png"));
    project.replace_image("train/dark/7.png", &other.expect("an image"));
    let log = project.fail(1, &[]);
    assert!(log.contains("train/dark/7.png: its content changed since ingest"), "{log}");
}

#[test]
fn a_bad_flag_or_parameter_ends_with_code_2() {
    let project = Project::new(FROZEN);
    assert!(project.fail(2, &["--device", "gpu"]).contains("cuda:N"));
    let log = project.fail(2, &["--learning-rate", "0"]);
    assert!(log.contains("train.descent.learning_rate is 0"), "{log}");
}

#[test]
fn help_shows_an_example() {
    let output = Project::new(FROZEN).run(&["--help"]);
    let help = String::from_utf8(output.stdout).expect("text");
    assert!(help.contains("dvc exp run -S train.seed=18"), "{help}");
    assert!(help.contains("Research use only"), "{help}");
}
