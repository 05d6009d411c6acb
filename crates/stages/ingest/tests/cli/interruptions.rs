//! Kills, full disks and folders without write permission.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::project::{Project, TWO_CLASSES, stderr, tree};
use crate::zips::Archive;

const INGEST: [&str; 3] = ["--source", "scans.zip", "-vv"];

fn project() -> Project {
    let project = Project::new(TWO_CLASSES);
    project.write("scans.zip", Archive::of_two_classes().bytes());
    project
}

/// Runs the binary and kills it after a log line that contains `mark`.
#[track_caller]
fn kill_at(project: &Project, mark: &str) {
    let mut child =
        project.command(&INGEST).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let seen = lines.map(Result::unwrap).any(|line| line.contains(mark));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(seen, "no line with {mark:?}");
}

#[test]
fn a_killed_run_leaves_the_old_folder_and_the_next_gives_the_bytes_of_an_undisturbed_one() {
    let undisturbed = project();
    undisturbed.ingest(&INGEST);
    let expected = tree(&undisturbed.output());
    for mark in ["unpacking", "unpacked", "decoding", "placed"] {
        let killed = project();
        killed.write("artifacts/data_ingestion/manifest.csv", b"old");
        kill_at(&killed, mark);
        let left = tree(&killed.output());
        // A kill that came too late finds the new folder; never anything between.
        assert!(left.len() == 1 || left == expected, "{mark}: {:?}", left.keys());
        killed.ingest(&INGEST);
        assert_eq!(tree(&killed.output()), expected, "{mark}");
        let beside = fs::read_dir(killed.path("artifacts")).unwrap().count();
        assert_eq!(beside, 1, "{mark}: leftovers");
    }
}

/// A limit on the size of files simulates a full disk: the write fails in the same place.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_no_more_leaves_the_old_folder() {
    let project = Project::new(TWO_CLASSES);
    let archive = Archive::of_two_classes().with("set/benign/notes.txt", &vec![b'.'; 100_000]);
    project.write("scans.zip", archive.bytes());
    project.write("artifacts/data_ingestion/manifest.csv", b"old");
    let program = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} --source scans.zip",
        env!("CARGO_BIN_EXE_ingest")
    );
    let output =
        Command::new("sh").args(["-c", &program]).current_dir(project.path("")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("notes.txt") && message.contains("File too large"), "{message}");
    assert_eq!(tree(&project.output()).len(), 1);
    assert_eq!(fs::read_dir(project.path("artifacts")).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn an_output_that_may_not_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let project = project();
    fs::create_dir(project.path("artifacts")).unwrap();
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(&project.path("artifacts"), 0o555);
    if fs::write(project.path("artifacts/probe"), b"").is_ok() {
        // Root may write everywhere, but not below a file.
        fs::remove_dir_all(project.path("artifacts")).unwrap();
        fs::write(project.path("artifacts"), b"").unwrap();
    }
    let output = project.command(&INGEST).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("artifacts"), "{}", stderr(&output));
    set_mode(&project.path("artifacts"), 0o755);
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_stops_nothing_and_hides_no_exit_code() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let project = project();
    let ingested = project.command(&INGEST).stderr(full()).stdout(Stdio::null()).status().unwrap();
    assert_eq!(ingested.code(), Some(0));
    project.write("config.yaml", "data: 1");
    let refused = project.command(&INGEST).stderr(full()).stdout(Stdio::null()).status().unwrap();
    assert_eq!(refused.code(), Some(2));
}
