//! Predictions without a server.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::project::{Project, foreign_picture, picture};

fn predict(project: &Project, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_predict"));
    command.current_dir(project.path("")).arg("-q").args(arguments).env_remove("HOUNSFIELD_LOG");
    command.args(["--device", "cpu"]).output().unwrap()
}

fn scans(project: &Project) {
    for (name, bytes) in [
        ("a.png", picture(60)),
        ("b.txt", b"no image".to_vec()),
        ("deep/c.png", picture(190)),
        ("deep/d.png", foreign_picture()),
    ] {
        artifact::write_file(&project.path("scans").join(name), &bytes).unwrap();
    }
}

#[test]
fn a_folder_becomes_a_table_with_a_row_for_every_file() {
    let project = Project::new("  {}");
    scans(&project);
    let output = predict(&project, &["scans", "--output", "rows.csv"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let mut table = csv::Reader::from_path(project.path("rows.csv")).unwrap();
    let header = table.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| {
        rows[row][header.iter().position(|column| column == name).unwrap()].to_owned()
    };
    let paths: Vec<String> = (0..4).map(|row| cell(row, "path")).collect();
    assert_eq!(paths, ["scans/a.png", "scans/b.txt", "scans/deep/c.png", "scans/deep/d.png"]);
    assert!(cell(1, "error").contains("not an image"));
    assert_eq!((cell(2, "class"), cell(2, "accepted")), ("bright".into(), "true".into()));
    let expected = project.offline(&picture(190));
    assert!((cell(2, "prob_bright").parse::<f64>().unwrap() - expected[0]).abs() < 1e-12);
    assert_eq!((cell(3, "class"), cell(3, "accepted")), (String::new(), "false".into()));
}

#[test]
fn json_lines_say_the_same() {
    let project = Project::new("  foreign_images: flag");
    scans(&project);
    let output = predict(&project, &["scans/**/*.png", "--format", "jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[2]["accepted"], false);
    assert!(rows[2]["class"].is_string(), "a foreign image is flagged, not refused");
    assert!(rows[0]["probabilities"]["dark"].is_f64());
}

#[test]
fn nothing_is_left_half_written() {
    let project = Project::new("  {}");
    let missing = predict(&project, &["none", "--output", "rows.csv"]);
    assert_eq!(missing.status.code(), Some(1));
    let log = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(log.contains("none: there is no such file"), "{log}");
    assert!(!fs::exists(project.path("rows.csv")).unwrap());
}

#[test]
fn what_became_of_the_files_is_counted_and_the_file_written_is_named() {
    let project = Project::new("  {}");
    scans(&project);
    let mut command = Command::new(env!("CARGO_BIN_EXE_predict"));
    command.current_dir(project.path("")).args(["scans", "--device", "cpu", "--output", "r.csv"]);
    let output = command.env_remove("HOUNSFIELD_LOG").output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    for words in ["4 files: 2 accepted", "1 refused as foreign: 1 by", "1 no image", "wrote r.csv"]
    {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(
        log.contains("1 bright") && log.contains("1 dark") || log.contains("2 bright"),
        "{log}"
    );
}

#[test]
fn a_script_can_tell_that_everything_was_refused() {
    let project = Project::new("  {}");
    artifact::write_file(&project.path("scans/a.png"), &foreign_picture()).unwrap();
    assert_eq!(predict(&project, &["scans"]).status.code(), Some(4));
    artifact::write_file(&project.path("scans/b.png"), &picture(100)).unwrap();
    assert_eq!(predict(&project, &["scans"]).status.code(), Some(0));
}

#[test]
fn names_work_out_nothing_in_a_spreadsheet_and_move_nothing_on_a_terminal() {
    let project = Project::new("  {}");
    let folder = project.path("scans");
    for name in ["=cmd|calc.png", "-1.png", "@x.png", "esc\u{1b}[2J.png", "two\nlines.png"] {
        artifact::write_file(&folder.join(name), &picture(100)).unwrap();
    }
    artifact::write_file(&folder.join("+bad\u{7}.png"), b"no image").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_predict"));
    command.current_dir(&folder).arg("--config").arg(project.path("config.yaml"));
    command.arg("--model").arg(project.path("model")).args(["--device", "cpu", "--", "."]);
    let pattern = command.env_remove("HOUNSFIELD_LOG").output().unwrap();
    assert!(!pattern.stdout.iter().any(|byte| matches!(byte, 0x1b | 7)), "a control character");
    let mut command = Command::new(env!("CARGO_BIN_EXE_predict"));
    command.current_dir(&folder).arg("--config").arg(project.path("config.yaml"));
    command.arg("--model").arg(project.path("model")).args(["--device", "cpu", "--", "*.png"]);
    let output = command.env_remove("HOUNSFIELD_LOG").output().unwrap();
    let mut table = csv::Reader::from_reader(output.stdout.as_slice());
    let paths: Vec<String> =
        table.records().map(|row| row.unwrap().get(0).unwrap().to_owned()).collect();
    assert_eq!(paths.len(), 6, "{}", String::from_utf8_lossy(&output.stderr));
    for path in &paths {
        assert!(!path.starts_with(['=', '+', '-', '@', '\t', '\r']), "{path}");
        assert!(!path.chars().any(char::is_control), "{path:?}");
    }
    assert!(paths.contains(&"./=cmd|calc.png".to_owned()), "{paths:?}");
    let missing = predict(&project, &["none\u{1b}[2J.png"]);
    assert!(!missing.stderr.contains(&0x1b), "{}", String::from_utf8_lossy(&missing.stderr));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let project = Project::new("  {}");
    scans(&project);
    for format in ["csv", "jsonl"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_predict"));
        command.current_dir(project.path("")).env_remove("HOUNSFIELD_LOG");
        command.args(["-q", "--device", "cpu", "--format", format, "scans"]);
        let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(running.stdout.take());
        let done = running.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{format}");
        assert_eq!(done.status.code(), Some(0), "{format}");
    }
}
