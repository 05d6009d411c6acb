//! `--data FOLDER`: images from outside the pipeline.

use dataset::{Manifest, Split};
use predicates::str::contains;

use crate::project::{FILES, Project, close, pixel, record};

/// A folder of 3 images of `cancer`, one of them twice, and 2 of `normal`.
fn with_folder() -> Project {
    let project = Project::new();
    let images = [
        ("cancer/1.bmp", 101),
        ("cancer/2.bmp", 102),
        ("cancer/again/2.bmp", 102),
        // By data.classes, b is a folder of normal.
        ("b/1.bmp", 103),
        ("scans/normal/deep/2.bmp", 104),
    ];
    for (path, grey) in images {
        artifact::write_file(&project.path("elsewhere").join(path), &pixel(grey)).unwrap();
    }
    artifact::write_file(&project.path("elsewhere/cancer/notes.txt"), b"no picture").unwrap();
    project
}

const FOLDER: [&str; 4] = ["--data", "elsewhere", "--output", "other"];

#[test]
fn a_folder_from_outside_is_scored_by_the_names_of_its_folders() {
    let project = with_folder();
    project.evaluate(&FOLDER).success().stdout(contains("There are no baselines on these images"));
    assert!(!project.path("artifacts/evaluation").exists(), "the tracked scores were touched");
    let text = artifact::read_text(&project.path("other/scores.json")).unwrap();
    let scores: serde_json::Value = serde_json::from_str(&text).unwrap();
    close(&scores, "/images", 5.0);
    close(&scores, "/accuracy", 0.6);
    close(&scores, "/classes/cancer/support", 3.0);
    // The image that appears twice is one group.
    close(&scores, "/intervals/groups", 4.0);
    assert_eq!(scores["worth"]["verdict"], "nothing_to_compare");
    assert_eq!(scores["worth"]["leak"]["outcome"], "no_copies");
    for file in FILES {
        assert!(project.path("other").join(file).exists(), "{file}");
    }
}

#[test]
fn images_of_the_training_are_found_among_them() {
    let project = with_folder();
    let trained = record("train/cancer/x.bmp", Split::Train, "cancer", &pixel(102));
    project.write(&Manifest::new(project.data(), vec![trained]));
    project.evaluate(&FOLDER).success();
    let text = artifact::read_text(&project.path("other/scores.json")).unwrap();
    let scores: serde_json::Value = serde_json::from_str(&text).unwrap();
    close(&scores, "/worth/without_copies/left_out", 2.0);
    close(&scores, "/worth/without_copies/images", 3.0);
    // Of the three remaining images, one is cancer.
    close(&scores, "/worth/without_copies/accuracy/value", 1.0 / 3.0);
    let page = artifact::read_text(&project.path("other/report.html")).unwrap();
    assert!(page.contains("2 images are in the training data: take them out"));
    assert!(page.contains("copy in training"));
}

#[test]
fn it_needs_neither_ingest_nor_validate() {
    let project = with_folder();
    std::fs::remove_dir_all(project.path("artifacts")).unwrap();
    project.evaluate(&FOLDER).success();
}

#[test]
fn an_image_in_no_known_folder_is_named() {
    let project = with_folder();
    artifact::write_file(&project.path("elsewhere/cyst/1.bmp"), &pixel(1)).unwrap();
    project.evaluate(&FOLDER).code(1).stderr(contains("tell the class of cyst/1.bmp"));
    assert!(!project.path("other").exists());
}

#[test]
fn the_tracked_scores_cannot_be_overwritten_by_accident() {
    let project = with_folder();
    project.evaluate(&["--data", "elsewhere"]).code(2).stderr(contains("--output"));
}
