//! Copies, leaks and label conflicts.

use dataset::Split;
use image::{ImageFormat, imageops};

use crate::project::{Project, encoded, picture, png, text_of};

#[test]
fn a_set_of_different_scans_has_no_copies() {
    let project = Project::of_pictures(20, 10);
    let (stdout, stderr) = text_of(&project.validate(&[]).success());
    let report = project.report();
    assert_eq!(report["copies"]["images"], 60);
    assert_eq!(report["copies"]["distinct_pictures"], 60);
    assert_eq!(project.finding("leaks").0, 0);
    assert!(stdout.contains("60 distinct by their bytes"), "{stdout}");
    assert!(stdout.contains("Patients are unknown"), "{stdout}");
    assert!(!stderr.contains("leaks"), "{stderr}");
    assert!(project.manifest().records().iter().all(|it| it.duplicate_group.is_none()));
}

#[test]
fn copies_are_told_by_file_by_pixels_and_by_look() {
    let mut project = Project::of_pictures(20, 10);
    let original = picture(1);
    let trained = project.add(Split::Train, "normal", 50, &png(&original));
    let same_file = project.add(Split::Test, "normal", 51, &png(&original));
    let bmp = encoded(&original, ImageFormat::Bmp);
    let same_pixels = project.add_as(Split::Test, "normal", "52.bmp", &bmp);
    let turned = encoded(&imageops::rotate90(&original), ImageFormat::Jpeg);
    let changed = project.add_as(Split::Test, "normal", "53.jpg", &turned);
    project.validate(&[]).success();

    // The picture with index 1 is already in training.
    let leaks = &project.report()["leaks"];
    let normals = |evidence: &str| leaks[evidence]["test_images"]["normal"].clone();
    assert_eq!(normals("by_file"), 1);
    assert_eq!(normals("by_pixels"), 2);
    assert_eq!(normals("by_near_copies"), 3);
    let group = project.validated(&trained).duplicate_group.expect("a group of copies");
    for copy in [same_file, same_pixels, changed.clone()] {
        assert_eq!(project.validated(&copy).duplicate_group, Some(group), "{copy}");
    }
    let table = std::fs::read_to_string(project.output("copies.csv")).unwrap();
    let row = table.lines().find(|line| line.contains(&changed)).unwrap();
    assert!(row.contains("turned") && row.contains("near"), "{row}");
}

#[test]
fn one_content_with_two_labels_is_told_with_both_paths() {
    let mut project = Project::of_pictures(20, 10);
    let bytes = png(&picture(5001));
    let first = project.add(Split::Train, "normal", 60, &bytes);
    let second = project.add(Split::Train, "adenocarcinoma", 61, &bytes);
    project.validate(&[]).success();
    let conflicts = project.report()["label_conflicts"].clone();
    assert_eq!(conflicts.as_array().unwrap().len(), 1);
    let paths: Vec<_> =
        conflicts[0]["images"].as_array().unwrap().iter().map(|it| it["path"].clone()).collect();
    assert_eq!(paths, [second.as_str(), first.as_str()]);
    let page = std::fs::read_to_string(project.output("report.html")).unwrap();
    assert!(page.contains("two labels"), "the gallery shows the pair");
}
