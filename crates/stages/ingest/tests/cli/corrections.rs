//! Corrections, merged into training.

use std::path::Path;

use artifact::Digest;
use dataset::Split;
use serde_json::{Value, json};

use crate::images::{png, write_class};
use crate::project::{Project, TWO_CLASSES, counts_of, tree};

/// Five training images of each class, one for validation and one for testing, and the repository's
/// configuration of corrections.
fn project() -> Project {
    let project = configured("corrections");
    for (split, count, first) in [("train", 5, 0), ("valid", 1, 100), ("test", 1, 200)] {
        write_class(&project.path(&format!("scans/{split}/benign")), count, first);
        write_class(&project.path(&format!("scans/{split}/malignant")), count, 1000 + first);
    }
    project
}

fn configured(corrections: &str) -> Project {
    Project::configured(&format!(
        "data:\n  source: {{kind: local, path: scans}}\n  classes: {TWO_CLASSES}\n  corrections: {corrections}\n"
    ))
}

/// The same project, without corrections in the configuration.
fn without_corrections() -> Project {
    let project = project();
    let config =
        format!("data:\n  source: {{kind: local, path: scans}}\n  classes: {TWO_CLASSES}\n");
    project.write("config.yaml", config);
    project
}

/// Writes a correction as the prediction server does; returns its path in the folder.
fn correct(project: &Project, class: &str, bytes: &[u8]) -> String {
    let path = format!("{class}/{}.png", Digest::of(bytes));
    project.write(&format!("corrections/{path}"), bytes);
    path
}

/// A list of the report's section.
fn listed(project: &Project, list: &str) -> Value {
    project.report()["corrections"][list].clone()
}

#[test]
fn a_new_scan_is_added_to_training_byte_for_byte() {
    let project = project();
    let correction = correct(&project, "malignant", &png(7777));
    let summary = project.ingest(&[]);
    let path = format!("train/malignant/corrections/{}.png", Digest::of(&png(7777)));
    assert_eq!(std::fs::read(project.output().join(&path)).unwrap(), png(7777));
    assert_eq!(project.counts()["train/malignant"], 6);
    assert_eq!(project.counts().values().sum::<usize>(), 15);
    assert_eq!(listed(&project, "added"), json!([{"correction": correction, "path": path}]));
    assert_eq!(project.report()["splits"]["train"]["classes"]["malignant"], 6);
    assert!(summary.contains("corrections: 1 added to train, 0 relabelled there"), "{summary}");
    // It is still where the server put it.
    assert!(project.path("corrections").join(correction).is_file());
}

#[test]
fn a_scan_with_the_same_class_in_any_split_is_left_out() {
    let (project, plain) = (project(), without_corrections());
    for number in [0, 100, 200] {
        correct(&project, "benign", &png(number));
    }
    project.ingest(&[]);
    plain.ingest(&[]);
    assert_eq!(project.manifest().records(), plain.manifest().records());
    assert_eq!(listed(&project, "known").as_array().unwrap().len(), 3);
}

#[test]
fn a_training_image_gets_the_corrected_class_and_no_other_moves() {
    let (project, plain) = (project(), without_corrections());
    let correction = correct(&project, "malignant", &png(0));
    project.ingest(&[]);
    plain.ingest(&[]);
    let path = "train/malignant/corrections/benign/0.png";
    let (mut found, mut expected) = (tree(&project.output()), tree(&plain.output()));
    assert_eq!(found.remove(path), expected.remove("train/benign/0.png"));
    for file in ["manifest.csv", "report.json"] {
        assert_ne!(found.remove(file), expected.remove(file));
    }
    assert_eq!(found, expected);
    let expected = json!([
        {"correction": correction, "path": path, "was": "benign", "class": "malignant"}
    ]);
    assert_eq!(listed(&project, "relabelled"), expected);
}

#[test]
fn an_image_that_is_scored_on_stays_and_is_listed_for_a_person() {
    let (project, plain) = (project(), without_corrections());
    plain.ingest(&[]);
    let tested = correct(&project, "malignant", &png(200));
    let chosen_by = correct(&project, "benign", &png(1100));
    let output = project.command(&[]).output().unwrap();
    assert!(output.status.success());
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(warning.contains("2 validation and test images"), "{warning}");
    assert_eq!(project.manifest().records(), plain.manifest().records());
    let expected = json!([
        {"correction": chosen_by, "path": "valid/malignant/0.png", "split": "valid",
         "class": "malignant", "corrected": "benign"},
        {"correction": tested, "path": "test/benign/0.png", "split": "test",
         "class": "benign", "corrected": "malignant"},
    ]);
    assert_eq!(listed(&project, "disputed"), expected);
}

#[test]
fn no_correction_is_drawn_into_another_split() {
    let project = configured("corrections");
    write_class(&project.path("scans/benign"), 20, 0);
    write_class(&project.path("scans/malignant"), 10, 1000);
    let corrected: Vec<Digest> = (5000..5040)
        .map(|number| {
            correct(&project, "benign", &png(number));
            Digest::of(&png(number))
        })
        .collect();
    project.ingest(&[]);
    let manifest = project.manifest();
    let in_training = manifest.split(Split::Train).filter(|it| corrected.contains(&it.sha256));
    assert_eq!(in_training.count(), 40);
    assert_eq!(
        project.counts(),
        counts_of(&[
            ("train/benign", 54),
            ("valid/benign", 3),
            ("test/benign", 3),
            ("train/malignant", 7),
            ("valid/malignant", 2),
            ("test/malignant", 1),
        ])
    );
}

#[test]
fn without_corrections_nothing_is_said_of_them() {
    let plain = without_corrections();
    plain.ingest(&[]);
    let plain = tree(&plain.output());
    assert!(!String::from_utf8_lossy(&plain["report.json"]).contains("corrections"));
    // Missing; with the content of a fresh clone; null.
    let missing = project();
    let fresh = project();
    fresh.write("corrections/README.md", b"what this is");
    fresh.write("corrections/.gitignore", b"*");
    let null = project();
    let config = format!(
        "data:\n  source: {{kind: local, path: scans}}\n  classes: {TWO_CLASSES}\n  corrections: null\n"
    );
    null.write("config.yaml", config);
    for project in [missing, fresh, null] {
        project.ingest(&[]);
        assert_eq!(tree(&project.output()), plain);
    }
}

#[test]
fn the_same_corrections_give_the_same_bytes_in_whatever_order_they_came() {
    let (one, other) = (project(), project());
    let scans = [7000, 7001, 7002, 0, 200];
    for number in scans {
        correct(&one, "malignant", &png(number));
    }
    for number in scans.into_iter().rev() {
        correct(&other, "malignant", &png(number));
    }
    let threads = ["1", "4"];
    for (project, threads) in [&one, &other].into_iter().zip(threads) {
        let output = project.command(&[]).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success());
    }
    assert_eq!(tree(&one.output()), tree(&other.output()));
}

#[test]
fn a_correction_that_is_not_what_its_path_says_stops_the_run_and_is_named() {
    let digest = Digest::of(&png(7777));
    for (path, reason) in [
        (format!("cyst/{digest}.png"), "\"cyst\" is not one of the classes benign, malignant"),
        (format!("{digest}.png"), "<class>/<sha256>.<extension>"),
        ("benign/scan.png".to_owned(), "its name is not the SHA-256"),
        (format!("benign/{}.png", Digest::of(b"another")), "not that of its name"),
    ] {
        let project = project();
        project.write(&format!("corrections/{path}"), png(7777));
        let message = project.refuse(1, &["--on-unreadable", "skip"]);
        for part in ["failed to read the corrections in corrections", path.as_str(), reason] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn one_scan_corrected_to_two_classes_stops_the_run() {
    let project = project();
    let (one, other) =
        (correct(&project, "benign", &png(7777)), correct(&project, "malignant", &png(7777)));
    let message = project.refuse(1, &[]);
    assert!(message.contains(&one) && message.contains(&other), "{message}");
}

#[test]
fn an_unreadable_correction_stops_the_run_or_is_listed_where_asked() {
    let project = project();
    let correction = correct(&project, "benign", b"nothing of the kind");
    let message = project.refuse(1, &[]);
    assert!(message.contains("decode 1 of 1 images"), "{message}");
    assert!(message.contains(&correction), "{message}");
    project.ingest(&["--on-unreadable", "skip"]);
    assert_eq!(listed(&project, "unreadable")[0]["path"], correction);
    assert_eq!(project.manifest().records().len(), 14);
    assert_eq!(project.report()["unreadable"], json!([]));
}

#[test]
fn corrections_in_the_source_or_the_output_are_bad_usage() {
    for folder in ["scans/corrections", "artifacts/data_ingestion/corrections"] {
        let project = project();
        let config = format!(
            "data:\n  source: {{kind: local, path: scans}}\n  classes: {TWO_CLASSES}\n  corrections: {folder}\n"
        );
        project.write("config.yaml", config);
        let path = Path::new(folder).join("benign").join(format!("{}.png", Digest::of(&png(7))));
        project.write(path.to_str().unwrap(), png(7));
        let output = project.command(&[]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("one lies in the other"), "{message}");
        assert!(project.path(path.to_str().unwrap()).is_file());
    }
}
