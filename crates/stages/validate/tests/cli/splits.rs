//! Groups, patients, and new splits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use dataset::{GroupNumber, Split, ValidatedRecord};
use image::imageops;

use crate::dicom;
use crate::project::{Project, picture, png, text_of};

/// The splits in which each group, or each patient, has images.
fn splits_by<K: Ord>(
    records: &[ValidatedRecord],
    key: impl Fn(&ValidatedRecord) -> Option<K>,
) -> BTreeMap<K, BTreeSet<Split>> {
    let mut splits: BTreeMap<K, BTreeSet<Split>> = BTreeMap::new();
    for record in records {
        if let Some(key) = key(record) {
            splits.entry(key).or_default().insert(record.image.split);
        }
    }
    splits
}

/// 40 different scans of two patients each in two classes, half of them for the test, and a
/// mirrored copy of every fifth in the other split.
fn leaky() -> Project {
    let mut project = Project::of_pictures(30, 10);
    for number in 0..6 {
        let copy = imageops::flip_horizontal(&picture(2 * (5 * number) + 1));
        project.add(Split::Test, "normal", 100 + number, &png(&copy));
    }
    project
}

#[test]
fn a_new_split_keeps_groups_whole_and_remembers_the_old_one() {
    let project = leaky();
    project.validate(&["--resplit"]).success();
    let manifest = project.manifest();
    assert_eq!(manifest.records().len(), 86);
    let groups = splits_by(manifest.records(), |it| Some(it.group));
    assert!(groups.values().all(|splits| splits.len() == 1), "{groups:?}");
    assert_eq!(project.finding("leaks").0, 0);
    for record in manifest.records() {
        let of_folder = record.image.path.split('/').next().unwrap();
        assert_eq!(record.original_split.name(), of_folder);
    }
    // 70 %, 15 %, 15 % of 46 normals and 40 adenocarcinomas, as params.yaml says.
    let count = |class: &str, split| {
        let images = manifest.records().iter().map(|record| &record.image);
        images.filter(|image| image.class == class && image.split == split).count()
    };
    for class in ["normal", "adenocarcinoma"] {
        let test = count(class, Split::Test);
        assert!((4..=9).contains(&test), "{test} test images of {class}");
    }
    assert!(project.report()["images"]["moved"].as_u64().unwrap() > 20);
}

#[test]
fn a_seed_decides_the_new_split() {
    let project = leaky();
    let of_seed = |seed: &str| {
        project.validate(&["--resplit", "--seed", seed]).success();
        fs::read_to_string(project.output("manifest.csv")).unwrap()
    };
    let first = of_seed("1");
    assert_ne!(first, of_seed("2"));
    assert_eq!(first, of_seed("1"));
}

#[test]
fn splits_that_ingest_drew_are_repaired_and_those_of_the_source_stay() {
    let mut project = leaky();
    project.validate(&[]).success();
    let moved = |project: &Project| project.report()["images"]["moved"].as_u64().unwrap();
    assert_eq!((moved(&project), project.finding("leaks").0), (0, 6));
    project.drawn(&Split::ALL);
    project.validate(&[]).success();
    // Drawn again as a whole, so that every split keeps its share.
    assert!(moved(&project) >= 6);
    assert_eq!(project.finding("leaks").0, 0);
}

#[test]
fn patients_are_read_from_paths_and_never_straddle_a_new_split() {
    let mut project = Project::new();
    for number in 0..80 {
        let class = ["a", "b"][number % 2];
        let split = if number % 4 == 3 { Split::Test } else { Split::Train };
        let name = format!("P{:02}_{number}.png", number / 4);
        project.add_as(split, class, &name, &png(&picture(number)));
    }
    project.patients("{kind: path, pattern: '/(P\\d+)_'}");
    let (stdout, _) = text_of(&project.validate(&[]).success());
    assert!(!stdout.contains("Patients are unknown"), "{stdout}");
    let patients = project.report()["patients"].clone();
    assert_eq!(patients["patients"], 20);
    assert_eq!(patients["patients_in_several_splits"], 20);
    assert_eq!(patients["images_of_unknown_patients"], 0);
    assert!(stdout.contains("20 patients have images in more than one split"), "{stdout}");

    project.run(&["--resplit"]).success();
    let manifest = project.manifest();
    let splits = splits_by(manifest.records(), |it| it.patient_id.clone());
    assert_eq!(splits.len(), 20);
    assert!(splits.values().all(|splits| splits.len() == 1), "{splits:?}");
}

#[test]
fn patients_of_dicom_files_stay_together_and_are_named_nowhere() {
    let mut project = Project::new();
    for number in 0..12 {
        let class = ["a", "b"][number % 2];
        let split = if number % 3 == 2 { Split::Test } else { Split::Train };
        let patient = ["Kowalska-1961", "Nowak-1957"][number / 2 % 2];
        let bytes = dicom::slice(patient, &picture(number));
        project.add_as(split, class, &format!("IM{number:02}"), &bytes);
    }
    let path = project.add(Split::Train, "a", 99, &png(&picture(99)));
    project.patients("{kind: dicom}");
    project.drawn(&Split::ALL);
    let (stdout, stderr) = text_of(&project.validate(&[]).success());
    assert_eq!(project.report()["patients"]["patients"], 2);
    assert_eq!(project.report()["patients"]["images_of_unknown_patients"], 1);
    assert_eq!(project.validated(&path).patient_id, None);
    let manifest = project.manifest();
    let splits = splits_by(manifest.records(), |it| it.patient_id.clone());
    assert_eq!(splits.len(), 2);
    assert!(splits.values().all(|splits| splits.len() == 1), "{splits:?}");

    let mut written = stdout + &stderr;
    for entry in fs::read_dir(project.output("")).unwrap() {
        written += &String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(written.contains("IM07"));
    assert!(!written.contains("Kowalska") && !written.contains("Nowak"));
}

#[test]
fn patients_of_a_table_join_groups() {
    let mut project = Project::of_pictures(4, 4);
    let first = project.add(Split::Train, "normal", 90, &png(&picture(5001)));
    let second = project.add(Split::Test, "normal", 91, &png(&picture(5002)));
    fs::write(project.path("patients.csv"), "path,patient_id\n0090.png,X\n0091.png,X\n").unwrap();
    project.patients("{kind: csv, path: patients.csv}");
    project.validate(&[]).success();
    let group = |path: &str| -> GroupNumber { project.validated(path).group };
    assert_eq!(group(&first), group(&second));
    assert_eq!(project.validated(&first).patient_id.as_deref(), Some("X"));
}

#[test]
fn a_missing_table_of_patients_is_named() {
    let project = Project::of_pictures(2, 2);
    project.patients("{kind: csv, path: nowhere.csv}");
    let (_, stderr) = text_of(&project.validate(&[]).failure());
    assert!(stderr.contains("nowhere.csv"), "{stderr}");
}
