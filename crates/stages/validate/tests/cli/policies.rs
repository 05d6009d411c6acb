//! The effect of `validation.policy` on findings.

use dataset::{Exclusion, Split};

use crate::project::{Project, picture, png, text_of};

/// A training image, a copy of it in the test split, and an image that appears twice.
fn with_a_leak() -> (Project, String, String) {
    let mut project = Project::of_pictures(20, 10);
    let bytes = png(&picture(5001));
    let trained = project.add(Split::Train, "normal", 70, &bytes);
    let tested = project.add(Split::Test, "normal", 71, &bytes);
    (project, trained, tested)
}

#[test]
fn a_warning_changes_nothing_and_says_so_on_stderr() {
    let (project, trained, _) = with_a_leak();
    let (_, stderr) = text_of(&project.validate(&[]).success());
    assert!(stderr.contains("1 test image (1 normal) has a copy in training"), "{stderr}");
    assert_eq!(project.validated(&trained).excluded, None);
    assert_eq!(project.report()["images"]["excluded"], 0);
}

#[test]
fn drop_takes_the_training_side_out_and_leaves_the_file() {
    let (project, trained, tested) = with_a_leak();
    project.set("leaks: warn", "leaks: drop");
    project.validate(&[]).success();
    assert_eq!(project.validated(&trained).excluded, Some(Exclusion::Leak));
    assert_eq!(project.validated(&tested).excluded, None);
    let report = project.report();
    assert_eq!(report["images"]["excluded"], 1);
    assert_eq!(report["images"]["included"]["train"], 40);
    assert_eq!(report["excluded"][&trained], "leak");
    assert!(project.image(&trained).exists());
    let included = project.manifest().included();
    assert!(included.records().iter().all(|record| record.path != trained));
}

#[test]
fn ignore_is_silent_but_the_report_still_counts() {
    let (project, ..) = with_a_leak();
    project.set("leaks: warn", "leaks: ignore");
    let (stdout, stderr) = text_of(&project.validate(&[]).success());
    assert!(!stdout.contains("copy in training"), "{stdout}");
    assert!(!stderr.contains("leaks"), "{stderr}");
    assert_eq!(project.finding("leaks").0, 1);
}

#[test]
fn fail_leaves_the_report_to_look_at_and_no_manifest_to_train_on() {
    let (project, ..) = with_a_leak();
    project.validate(&[]).success();
    assert!(project.output("manifest.csv").exists());
    project.set("leaks: warn", "leaks: fail");
    let assert = project.run(&[]).failure().code(1);
    let (stdout, stderr) = text_of(&assert);
    assert!(stderr.contains("leaks: 1 test image (1 normal)"), "{stderr}");
    assert!(stderr.contains("report.html"), "{stderr}");
    assert!(stdout.is_empty(), "{stdout}");
    assert!(project.output("report.html").exists());
    assert!(!project.output("manifest.csv").exists(), "an older manifest would be trained on");
    assert!(!project.output("baselines.csv").exists());
}

#[test]
fn a_class_is_never_dropped_whole() {
    let mut project = Project::new();
    let (a, b) = (png(&picture(1)), png(&picture(2)));
    for split in [Split::Train, Split::Test] {
        project.add(split, "a", 1, &a);
        project.add(split, "b", 1, &b);
    }
    project.set("leaks: warn", "leaks: drop");
    let (_, stderr) = text_of(&project.validate(&[]).failure().code(1));
    assert!(stderr.contains("class a") && stderr.contains("validation.policy"), "{stderr}");
}

#[test]
fn an_unknown_policy_is_refused_with_its_place() {
    let project = Project::of_pictures(2, 2);
    project.set("leaks: warn", "leaks: delete");
    let (_, stderr) = text_of(&project.validate(&[]).failure().code(2));
    assert!(stderr.contains("delete") && stderr.contains("params.yaml"), "{stderr}");
    project.set("leaks: delete", "leaks: warn");
    project.set("same_scan: warn", "same_scan: drop");
    let (_, stderr) = text_of(&project.run(&[]).failure().code(2));
    assert!(stderr.contains("drop") && stderr.contains("same_scan"), "{stderr}");
}
