//! Folders of real data sets, read by configuration alone.

use std::fs;
use std::path::Path;

use image::ImageFormat;

use crate::images::{picture, png, write_class};
use crate::project::{Project, TWO_CLASSES, counts_of, tree};

/// 20 benign and 10 malignant images, flat.
fn flat_project() -> Project {
    let project = Project::new(TWO_CLASSES);
    write_class(&project.path("scans/benign"), 20, 0);
    write_class(&project.path("scans/malignant"), 10, 1000);
    project
}

#[test]
fn flat_two_class_folder_is_split_by_the_ratios() {
    let project = flat_project();
    let summary = project.ingest(&["--source", "scans"]);
    assert_eq!(
        project.counts(),
        counts_of(&[
            ("train/benign", 14),
            ("valid/benign", 3),
            ("test/benign", 3),
            ("train/malignant", 7),
            ("valid/malignant", 2),
            ("test/malignant", 1),
        ])
    );
    let report = project.report();
    assert_eq!(report["splits"]["test"]["origin"], "drawn");
    assert_eq!(report["draw"]["seed"], 17);
    assert!(summary.contains("benign         14       3       3\n"), "{summary}");
    assert!(summary.contains("30 images in artifacts/data_ingestion"), "{summary}");
}

#[test]
fn manifest_says_what_the_files_hold() {
    let project = flat_project();
    project.ingest(&["--source", "scans"]);
    let manifest = project.manifest();
    for record in manifest.records() {
        let bytes = fs::read(manifest.file_of(record)).unwrap();
        assert_eq!(artifact::Digest::of(&bytes), record.sha256);
        let image = image::load_from_memory(&bytes).unwrap();
        assert_eq!((image.width(), image.height()), (record.width, record.height));
    }
}

#[test]
fn training_testing_folder_gets_its_valid_split_from_training() {
    let project = Project::new(
        "{glioma: [glioma], meningioma: [meningioma], none: [notumor], pituitary: [pituitary]}",
    );
    for (class, first) in [("glioma", 0), ("meningioma", 100), ("notumor", 200), ("pituitary", 300)]
    {
        write_class(&project.path(&format!("mri/Training/{class}")), 17, first);
        write_class(&project.path(&format!("mri/Testing/{class}")), 4, first + 50);
    }
    project.ingest(&["--source", "mri"]);
    let counts = project.counts();
    for class in ["glioma", "meningioma", "none", "pituitary"] {
        // 0.70 : 0.15 of the 17 training images is 14 : 3.
        let found = ["train", "valid", "test"].map(|split| counts[&format!("{split}/{class}")]);
        assert_eq!(found, [14, 3, 4], "{class}");
    }
    let report = project.report();
    assert_eq!(report["splits"]["valid"]["origin"], "drawn");
    assert_eq!(report["splits"]["test"]["origin"], "folder");
}

#[test]
fn the_same_source_gives_the_same_bytes_wherever_it_lies() {
    let one = flat_project();
    let other = flat_project();
    fs::create_dir(other.path("deep")).unwrap();
    fs::rename(other.path("scans"), other.path("deep/scans")).unwrap();
    one.ingest(&["--source", "scans"]);
    other.ingest(&["--source", "deep/scans"]);
    assert_eq!(tree(&one.output()), tree(&other.output()));
}

#[test]
fn copies_of_an_image_are_drawn_into_one_split() {
    let project = flat_project();
    for i in 0..20 {
        fs::copy(
            project.path(&format!("scans/benign/{i}.png")),
            project.path(&format!("scans/benign/copy of {i}.png")),
        )
        .unwrap();
    }
    project.ingest(&["--source", "scans"]);
    let manifest = project.manifest();
    for record in manifest.records() {
        let mut copies = manifest.records().iter().filter(|other| other.sha256 == record.sha256);
        assert!(copies.all(|copy| copy.split == record.split), "{}", record.path);
    }
}

#[test]
fn images_are_known_by_content_and_kept_byte_for_byte() {
    let project = flat_project();
    let jpeg = picture(7777, ImageFormat::Jpeg);
    fs::write(project.path("scans/benign/jpeg named.png"), &jpeg).unwrap();
    fs::write(project.path("scans/benign/no extension"), png(8888)).unwrap();
    project.ingest(&["--source", "scans"]);
    let mut found = tree(&project.output());
    found.retain(|_, bytes| *bytes == jpeg || *bytes == png(8888));
    let names: Vec<&str> = found.keys().filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"jpeg named.png") && names.contains(&"no extension"), "{names:?}");
}

#[cfg(unix)]
#[test]
fn a_users_files_are_copied_not_linked() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let project = flat_project();
    let original = project.path("scans/benign/0.png");
    fs::set_permissions(&original, fs::Permissions::from_mode(0o400)).unwrap();
    project.ingest(&["--source", "scans"]);
    assert_eq!(original.metadata().unwrap().nlink(), 1);
    assert_eq!(tree(&project.path("scans")).len(), 30);
    let manifest = project.manifest();
    let read_only = |path: &Path| path.metadata().unwrap().permissions().readonly();
    assert!(manifest.records().iter().all(|record| !read_only(&manifest.file_of(record))));
}

#[test]
fn an_unreadable_image_stops_the_run_and_is_named() {
    let project = flat_project();
    let whole = png(9999);
    project.write("scans/malignant/cut.png", &whole[..whole.len() / 2]);
    project.write("scans/malignant/not.jpg", b"nothing of the kind");
    let message = project.refuse(1, &["--source", "scans"]);
    assert!(message.contains("failed to decode 2 of 32 images"), "{message}");
    assert!(message.contains("malignant/cut.png: "), "{message}");
    assert!(message.contains("malignant/not.jpg: "), "{message}");
    assert!(message.contains("--on-unreadable skip"), "{message}");
}

#[test]
fn an_unreadable_image_is_skipped_and_listed_where_asked() {
    let project = flat_project();
    project.write("scans/malignant/not.jpg", b"nothing of the kind");
    project.ingest(&["--source", "scans", "--on-unreadable", "skip"]);
    assert_eq!(project.manifest().records().len(), 30);
    assert_eq!(project.report()["unreadable"][0]["path"], "malignant/not.jpg");
}

#[test]
fn a_class_that_loses_every_image_is_refused_even_where_skipping() {
    let project = Project::new(TWO_CLASSES);
    write_class(&project.path("scans/benign"), 3, 0);
    project.write("scans/malignant/a.png", b"no");
    let message = project.refuse(1, &["--source", "scans", "--on-unreadable", "skip"]);
    assert!(message.contains("keep class malignant"), "{message}");
}

#[test]
fn other_files_are_passed_over_and_listed() {
    let project = flat_project();
    project.write("scans/labels.csv", b"a,b\n");
    project.write("scans/benign/Thumbs.db", b"x");
    project.ingest(&["--source", "scans"]);
    let report = project.report();
    let listed = report["passed_over"].as_array().unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|it| (it["path"].as_str().unwrap(), it["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(listed, [("benign/Thumbs.db", "hidden"), ("labels.csv", "not_an_image")]);
}

#[test]
fn an_unmapped_folder_stops_the_run_with_the_yaml_to_add() {
    let project = flat_project();
    write_class(&project.path("scans/Pre-malignant"), 5, 5000);
    let message = project.refuse(1, &["--source", "scans"]);
    assert!(message.contains("Pre-malignant: 5 images"), "{message}");
    assert!(message.contains("pre_malignant: [Pre-malignant]"), "{message}");
}

#[test]
fn an_empty_folder_is_refused() {
    let project = Project::new(TWO_CLASSES);
    fs::create_dir(project.path("scans")).unwrap();
    let message = project.refuse(1, &["--source", "scans"]);
    assert!(message.contains("0 files and no image among them"), "{message}");
}

#[test]
fn a_source_that_is_not_there_is_bad_usage() {
    let message = Project::new(TWO_CLASSES).refuse(2, &["--source", "nowhere.zip"]);
    assert!(message.contains("failed to find nowhere.zip: no such file or folder"), "{message}");
}

#[test]
fn source_and_output_inside_each_other_are_bad_usage() {
    let project = flat_project();
    for output in [".", "scans", "scans/ingested"] {
        let message = project.refuse(2, &["--source", "scans", "--output", output]);
        assert!(message.contains("one lies in the other"), "{message}");
        assert_eq!(tree(&project.path("scans")).len(), 30);
    }
}

#[test]
fn a_folder_with_somebodys_files_is_not_replaced() {
    let project = flat_project();
    project.write("thesis/chapter 1.tex", "ten years");
    let message = project.refuse(1, &["--source", "scans", "--output", "thesis"]);
    assert!(message.contains("not ours to remove"), "{message}");
    assert_eq!(tree(&project.path("thesis")).len(), 1);
}

#[test]
fn shares_that_do_not_add_up_are_bad_usage() {
    let message = flat_project().refuse(2, &["--source", "scans", "--split", "0.8,0.3,0.1"]);
    assert!(message.contains("must add up to 1"), "{message}");
}

#[test]
fn the_sample_set_is_ingested_by_default() {
    let classes = "{adenocarcinoma: [adenocarcinoma], large_cell_carcinoma: [large_cell_carcinoma], \
         normal: [normal], squamous_cell_carcinoma: [squamous_cell_carcinoma]}";
    let project = Project::new(classes);
    project.ingest(&["--sample-images", "16"]);
    assert_eq!(project.counts().values().sum::<usize>(), 16);
    assert_eq!(project.report()["source"]["kind"], "sample");
}

#[test]
fn help_teaches_with_an_example() {
    let help = Project::new(TWO_CLASSES).ingest(&["--help"]);
    assert!(help.contains("ingest --source scans.zip --on-unreadable skip"), "{help}");
}

#[test]
fn what_lies_beside_images_and_is_not_used_is_warned_of() {
    let project = flat_project();
    project.write("scans/benign/a.heic", b"\0\0\0\x18ftypheic\0\0\0\0");
    project.write("scans/benign/v.nii.gz", b"\x1f\x8b\x08");
    project.write("scans/benign/more.zip", b"PK\x03\x04");
    project.write("scans/benign/@eaDir/thumb.png", b"a thumbnail");
    let image = fs::read(project.path("scans/benign/0.png")).unwrap();
    project.write("scans/benign/0_mask.png", &image);
    project.write("scans/malignant/site_test_b/1.png", &image);
    std::os::unix::fs::symlink("gone.png", project.path("scans/benign/link.png")).unwrap();
    let output = project.command(&["--source", "scans"]).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    let warned = |part: &str| warnings.iter().any(|line| line.contains(part));
    assert!(warned("formats that are not read: 1 HEIC, 1 NIfTI, 1 archive"), "{log}");
    assert!(warned("left out 1 links to nothing"), "{log}");
    assert!(warned("look like masks of others") && warned("*_mask*.png"), "{log}");
    assert!(warned("splits were drawn") && warned("malignant/site_test_b"), "{log}");
    assert!(!log.contains("@eaDir"), "{log}");
}

#[test]
fn a_check_reads_both_files_and_touches_nothing() {
    let project = flat_project();
    assert_eq!(project.ingest(&["--check"]), "");
    project.assert_nothing_left();
    let params = fs::read_to_string(project.path("params.yaml")).unwrap();
    project.write("params.yaml", params.replace("ingest:\n", "ingest:\n  sed: 1\n"));
    assert!(project.refuse(2, &["--check"]).contains("sed"));
}
