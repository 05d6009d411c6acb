//! Two files beside the model, the same in every run, and never only partly written.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use classifier::description::ModelDescription;
use classifier::held_out::HeldOut;
use config::Flip;
use dataset::Split;

use crate::project::{Answer, Project, plain};

fn project() -> Project {
    let images = [
        plain(Split::Train, "bright", 200..208),
        plain(Split::Train, "dark", 10..18),
        plain(Split::Valid, "bright", 100..106),
        plain(Split::Valid, "dark", 40..46),
    ];
    Project::new(&images.concat(), Answer::Brightness, &[])
}

#[test]
fn the_same_inputs_give_the_same_bytes_for_any_number_of_threads() {
    let project = project();
    project.succeed(&[]);
    let first = project.written();
    let one_thread = project.command(&[]).env("RAYON_NUM_THREADS", "1").status().unwrap();
    assert!(one_thread.success());
    assert!(project.written() == first, "another run gave other bytes");
    fs::remove_file(project.path("model/calibration.json")).unwrap();
    fs::remove_file(project.path("model/foreign.safetensors")).unwrap();
    project.succeed(&[]);
    assert!(project.written() == first, "a run from nothing gave other bytes");
}

#[test]
fn the_model_itself_is_not_touched() {
    let project = project();
    let files = ["model.json", "trained_model.safetensors", "class_indices.json"];
    let read = || files.map(|file| fs::read(project.path("model").join(file)).unwrap());
    let before = read();
    project.succeed(&[]);
    assert!(read() == before);
}

#[test]
fn a_run_that_is_killed_leaves_the_old_files() {
    let project = project();
    project.succeed(&[]);
    let before = project.written();
    let mut child =
        project.command(&["--folds", "3", "-vv"]).stderr(Stdio::piped()).spawn().unwrap();
    // Before the folds, long before anything is written.
    let log = BufReader::new(child.stderr.take().unwrap());
    let reached = log.lines().map_while(Result::ok).any(|line| line.contains("refit, epoch"));
    assert!(reached, "it ended before it trained a head");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(project.written() == before);
    let left: Vec<_> = fs::read_dir(project.path("model"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_image_that_changed_stops_it_and_the_old_files_stay() {
    let project = project();
    project.succeed(&[]);
    let before = project.written();
    let image = project.path("artifacts/data_ingestion/valid/bright/016.png");
    let mut bytes = fs::read(&image).unwrap();
    bytes.push(0);
    fs::write(&image, bytes).unwrap();
    let log = project.fail(1, &[]);
    assert!(log.contains("valid/bright/016.png"), "{log}");
    assert!(project.written() == before);
}

#[test]
fn output_that_cannot_be_written_names_the_file_and_leaves_the_old_calibration() {
    let project = project();
    project.succeed(&[]);
    let (calibration, _) = project.written();
    let features = project.path("model/foreign.safetensors");
    fs::remove_file(&features).unwrap();
    fs::create_dir_all(features.join("in the way")).unwrap();
    let log = project.fail(1, &["--folds", "3"]);
    assert!(log.contains("foreign.safetensors"), "{log}");
    assert!(fs::read(project.path("model/calibration.json")).unwrap() == calibration);
}

#[test]
fn a_missing_model_says_what_to_run() {
    let project = project();
    fs::remove_dir_all(project.path("model")).unwrap();
    let log = project.fail(1, &[]);
    assert!(log.contains("run select first") && log.contains("model.json"), "{log}");
}

#[test]
fn a_missing_manifest_says_what_to_run() {
    let project = project();
    fs::remove_dir_all(project.path("artifacts/data_validation")).unwrap();
    let log = project.fail(1, &[]);
    assert!(log.contains("run validate first") && log.contains("manifest.csv"), "{log}");
}

#[test]
fn a_model_of_other_data_is_refused() {
    let project = project();
    let manifest = project.path("artifacts/data_validation/manifest.csv");
    let text = fs::read_to_string(&manifest).unwrap();
    let fewer: Vec<&str> = text.lines().filter(|line| !line.contains("/000.png")).collect();
    fs::write(&manifest, fewer.join("\n")).unwrap();
    let log = project.fail(1, &[]);
    assert!(log.contains("trained on other data"), "{log}");
    assert!(!project.path("model/calibration.json").exists());
}

#[test]
fn one_fold_is_a_mistake_in_the_usage() {
    let log = project().fail(2, &["--folds", "1"]);
    assert!(log.contains("calibrate.folds") && log.contains("2 to 20"), "{log}");
}

#[test]
fn what_ensembles_are_chosen_by_is_kept_for_every_view() {
    let images = [
        plain(Split::Train, "bright", 200..208),
        plain(Split::Train, "dark", 10..18),
        plain(Split::Valid, "bright", 100..106),
        plain(Split::Valid, "dark", 40..46),
    ];
    let flips = [("folds: 5", "folds: 5\n  flips: [horizontal, both]")];
    let project = Project::new(&images.concat(), Answer::Brightness, &flips);
    project.succeed(&[]);
    let description = ModelDescription::read(&project.path("model")).unwrap();
    let kept = HeldOut::read(&project.path("model"), &description).unwrap();
    assert_eq!(kept.images.len(), 28);
    assert_eq!(kept.images.iter().filter(|image| image.out_of_fold).count(), 16);
    assert_eq!(
        kept.logits.keys().collect::<Vec<_>>(),
        [&Flip::None, &Flip::Horizontal, &Flip::Both]
    );
    // A plain picture is the same flipped; the last bits may depend on the order of sums.
    for (plain, flipped) in kept.logits[&Flip::None].iter().zip(&kept.logits[&Flip::Both]) {
        assert!((plain[0] - flipped[0]).abs() < 1e-3 * (1.0 + plain[0].abs()));
    }
    let bytes = fs::read(project.path("model/held_out.safetensors")).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(".png"), "it names a file");
    project.succeed(&[]);
    assert!(fs::read(project.path("model/held_out.safetensors")).unwrap() == bytes);
}

#[test]
fn a_view_that_is_named_twice_is_refused() {
    let project = project();
    let params = project.path("params.yaml");
    let text = fs::read_to_string(&params).unwrap();
    let twice = text.replace("folds: 5", "folds: 5\n  flips: [horizontal, horizontal]");
    fs::write(&params, twice).unwrap();
    let log = project.fail(2, &[]);
    assert!(log.contains("calibrate.flips") && log.contains("each once"), "{log}");
}
