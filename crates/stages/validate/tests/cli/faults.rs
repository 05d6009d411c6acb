//! Input that cannot be validated, and the state afterwards.

use std::fs;

use dataset::Split;

use crate::project::{Project, picture, png, text_of};

#[test]
fn without_images_it_says_which_stage_makes_them() {
    let project = Project::new();
    let (_, stderr) = text_of(&project.run(&[]).failure().code(1));
    assert!(stderr.contains("run ingest first") && stderr.contains("manifest.csv"), "{stderr}");
}

#[test]
fn an_image_that_changed_since_ingest_is_not_looked_at() {
    let mut project = Project::of_pictures(3, 3);
    let path = project.add(Split::Train, "normal", 80, &png(&picture(80)));
    project.write_manifest();
    fs::write(project.image(&path), png(&picture(81))).unwrap();
    let (_, stderr) = text_of(&project.run(&[]).failure().code(1));
    assert!(stderr.contains(&path) && stderr.contains("run ingest again"), "{stderr}");
    fs::remove_file(project.image(&path)).unwrap();
    let (_, stderr) = text_of(&project.run(&[]).failure().code(1));
    assert!(stderr.contains(&path), "{stderr}");
}

#[test]
fn a_failed_run_leaves_the_last_result_as_it_was() {
    let mut project = Project::of_pictures(3, 3);
    project.validate(&[]).success();
    let before = fs::read(project.output("manifest.csv")).unwrap();
    let path = project.add(Split::Train, "normal", 80, &png(&picture(80)));
    project.write_manifest();
    fs::remove_file(project.image(&path)).unwrap();
    project.run(&[]).failure();
    assert_eq!(fs::read(project.output("manifest.csv")).unwrap(), before);
    let artifacts: Vec<_> = fs::read_dir(project.path("artifacts"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "data_ingestion" && name != "data_validation")
        .collect();
    assert!(artifacts.is_empty(), "left behind: {artifacts:?}");
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_the_work() {
    let project = Project::of_pictures(3, 3);
    project.write_manifest();
    fs::write(project.path("artifacts/data_validation"), "not a folder").unwrap();
    let (_, stderr) = text_of(&project.run(&[]).failure().code(1));
    assert!(stderr.contains("artifacts/data_validation"), "{stderr}");
}
