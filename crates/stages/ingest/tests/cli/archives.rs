//! Zip files, valid and hostile.

use crate::project::{Project, TWO_CLASSES, counts_of};
use crate::zips::{Archive, marked_encrypted};

/// Ingests an archive and expects a refusal without leftovers.
#[track_caller]
fn assert_refused(archive: &[u8], expected: &str) {
    assert_refused_under(TWO_CLASSES, archive, expected);
}

#[track_caller]
fn assert_refused_under(classes_and_limits: &str, archive: &[u8], expected: &str) {
    let project = Project::new(classes_and_limits);
    project.write("scans.zip", archive);
    let message = project.refuse(1, &["--source", "scans.zip"]);
    assert!(message.contains("failed to unpack scans.zip: "), "{message}");
    assert!(message.contains(expected), "{message}");
}

#[test]
fn a_zip_file_is_unpacked_and_ingested() {
    let project = Project::new(TWO_CLASSES);
    project.write("scans.zip", Archive::of_two_classes().with("__MACOSX/._x", b"x").bytes());
    project.ingest(&["--source", "scans.zip", "--split", "0.5,0.25,0.25"]);
    assert_eq!(
        project.counts(),
        counts_of(&[
            ("train/benign", 2),
            ("valid/benign", 1),
            ("test/benign", 1),
            ("train/malignant", 2),
            ("valid/malignant", 1),
            ("test/malignant", 1),
        ])
    );
    assert_eq!(project.report()["data_root"], "set");
}

#[test]
fn an_entry_that_leads_outside_writes_nothing() {
    for name in ["../../escaped.png", "/etc/../escaped.png", "set\\..\\..\\escaped.png"] {
        let project = Project::new(TWO_CLASSES);
        project.write("scans.zip", Archive::of_two_classes().with(name, b"x").bytes());
        let message = project.refuse(1, &["--source", "scans.zip"]);
        assert!(message.contains("leads outside"), "{message}");
        assert!(!project.path("escaped.png").exists());
        assert!(!project.path("artifacts/escaped.png").exists());
    }
}

#[test]
fn a_symbolic_link_is_refused() {
    let archive = Archive::of_two_classes().with_symlink("set/benign/link.png", "/etc/passwd");
    assert_refused(&archive.bytes(), "\"set/benign/link.png\" is a symbolic link");
}

#[test]
fn a_bomb_is_refused_by_its_ratio() {
    let archive = Archive::of_two_classes().with("set/benign/bomb.png", &vec![0; 4 << 20]);
    assert_refused(&archive.bytes(), "\"set/benign/bomb.png\" unpacks to more than 200 times");
}

#[test]
fn a_bomb_is_refused_by_its_total() {
    let limit = format!("{TWO_CLASSES}\nextraction: {{max_total_bytes: 1000}}");
    let archive = Archive::of_two_classes().with("set/benign/big.png", &[1; 5000]);
    assert_refused_under(&limit, &archive.bytes(), "more than the 1000 bytes");
}

#[test]
fn too_many_entries_are_refused() {
    let limit = format!("{TWO_CLASSES}\nextraction: {{max_entries: 7}}");
    assert_refused_under(&limit, &Archive::of_two_classes().bytes(), "it has 8 entries");
}

#[test]
fn a_truncated_archive_is_refused() {
    let archive = Archive::of_two_classes().bytes();
    assert_refused(&archive[..archive.len() / 2], "truncated or damaged");
}

#[test]
fn an_encrypted_archive_is_refused() {
    let archive = marked_encrypted(Archive::of_two_classes().bytes());
    assert_refused(&archive, "\"set/benign/0.png\" is encrypted");
}

#[test]
fn a_web_page_named_zip_is_refused() {
    let page = b"<!DOCTYPE html><html><title>Sign in</title></html>";
    assert_refused(page, "not a zip file; it starts with \"<!DOCTYPE html");
}

#[test]
fn an_empty_file_named_zip_is_refused() {
    assert_refused(b"", "not a zip file");
}

#[test]
fn an_archive_with_another_digest_is_refused() {
    let project = Project::new(TWO_CLASSES);
    project.write("scans.zip", Archive::of_two_classes().bytes());
    let wrong = "0".repeat(64);
    let message = project.refuse(1, &["--source", "scans.zip", "--sha256", &wrong]);
    assert!(message.contains("data.source.sha256 asks for 0000"), "{message}");
}
