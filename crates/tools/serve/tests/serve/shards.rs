//! Predictions of many processes, each of a shard, merged.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{Project, foreign_picture, picture};

/// 12 scans: copies, a foreign picture, a text, an empty file and known images.
fn scans(project: &Project) {
    let pictures = (0..8).map(|i| (format!("{}/{i}.png", i % 3), picture(60 + 15 * i)));
    let others = [
        ("copy.png".to_owned(), picture(60)),
        ("a/foreign.png".to_owned(), foreign_picture()),
        ("b/text.png".to_owned(), b"no image".to_vec()),
        ("c/empty.png".to_owned(), Vec::new()),
    ];
    for (name, bytes) in pictures.chain(others) {
        artifact::write_file(&project.path("scans").join(name), &bytes).unwrap();
    }
}

fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_predict"));
    command.current_dir(project.path("")).args(arguments);
    for name in ["HOUNSFIELD_LOG", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"] {
        command.env_remove(name);
    }
    command
}

fn predict(project: &Project, arguments: &[&str]) -> Output {
    command(project, arguments).args(["--device", "cpu"]).output().unwrap()
}

/// Predicts a shard of `scans`, which must succeed, to `parts/I.csv`; returns the log.
#[track_caller]
fn part(project: &Project, shard: &str) -> String {
    let (index, _) = shard.split_once('/').unwrap();
    let output = format!("parts/{index}.csv");
    log_of(&predict(project, &["scans", "--shard", shard, "--output", &output]), 0)
}

fn merge(project: &Project, parts: &[&str]) -> Output {
    let mut command = command(project, &["merge"]);
    command.args(parts).args(["--output", "merged.csv"]).output().unwrap()
}

/// Merges parts, which must fail with these words and leave no output.
#[track_caller]
fn refused(project: &Project, parts: &[&str], words: &[&str]) {
    let log = log_of(&merge(project, parts), 1);
    for word in words {
        assert!(log.contains(word), "{word}: {log}");
    }
    assert!(!project.path("merged.csv").exists());
}

#[track_caller]
fn log_of(output: &Output, code: i32) -> String {
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{log}");
    log
}

fn record(project: &Project, part: &str) -> Value {
    artifact::read_json(&project.path(&format!("{part}.shard.json"))).unwrap()
}

/// Every file below a folder with its content.
fn content_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    files
        .map(|path| (path.strip_prefix(folder).unwrap().into(), fs::read(&path).unwrap()))
        .collect()
}

fn same_as_one_process(format: &str, counts: &[usize]) {
    let project = Project::new("  {}");
    scans(&project);
    // It can be named, but not be read.
    let all = ["scans", "/proc/self/mem", "--format", format];
    let one = predict(&project, &[&all[..], &["--output", "one"]].concat());
    let expected = fs::read(project.path("one")).unwrap();
    for count in counts {
        let parts: Vec<String> = (0..*count).map(|i| format!("parts-{count}/{i}")).collect();
        for (index, part) in parts.iter().enumerate() {
            let shard = format!("{index}/{count}");
            let shard = [&all[..], &["--shard", &shard, "--output", part]].concat();
            log_of(&predict(&project, &shard), 0);
        }
        // In any order.
        let parts: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
        let merged = merge(&project, &parts);
        let log = log_of(&merged, 3);
        assert!(log.contains("13 files: 9 accepted"), "{log}");
        assert_eq!(merged.status.code(), one.status.code());
        let found = fs::read(project.path("merged.csv")).unwrap();
        assert!(found == expected, "{count} parts: {}", String::from_utf8_lossy(&found));
    }
}

#[test]
fn merged_tables_are_the_bytes_of_one_process() {
    same_as_one_process("csv", &[1, 3, 4, 7]);
}

#[test]
fn merged_json_lines_are_the_bytes_of_one_process() {
    same_as_one_process("jsonl", &[1, 3, 4, 7]);
}

#[test]
fn more_shards_than_files_leave_some_empty() {
    let project = Project::new("  {}");
    artifact::write_file(&project.path("scans/a.png"), &foreign_picture()).unwrap();
    let one = predict(&project, &["scans", "--output", "one.csv"]);
    for index in 0..3 {
        part(&project, &format!("{index}/3"));
    }
    let empty = (0..3).filter(|i| {
        record(&project, &format!("parts/{i}.csv"))["positions"] == Value::Array(vec![])
    });
    assert_eq!(empty.count(), 2);
    // All files were refused.
    log_of(&merge(&project, &["parts/0.csv", "parts/1.csv", "parts/2.csv"]), 4);
    assert_eq!(one.status.code(), Some(4));
    let merged = fs::read(project.path("merged.csv")).unwrap();
    assert_eq!(merged, fs::read(project.path("one.csv")).unwrap());
}

#[test]
fn heat_maps_of_all_shards_are_those_of_one_process() {
    let project = Project::new("  {}");
    for (name, grey) in [("a/1.png", 60), ("b/1.png", 90), ("b/2.png", 190), ("c/3.png", 120)] {
        artifact::write_file(&project.path("scans").join(name), &picture(grey)).unwrap();
    }
    log_of(&predict(&project, &["scans", "--explain", "one", "--output", "one.csv"]), 0);
    for index in 0..3 {
        let (shard, output) = (format!("{index}/3"), format!("{index}.csv"));
        let shard = ["scans", "--explain", "heat", "--shard", &shard, "--output", &output];
        log_of(&predict(&project, &shard), 0);
    }
    let expected = content_of(&project.path("one"));
    assert_eq!(expected.len(), 4, "two files of one name keep their folders");
    assert_eq!(content_of(&project.path("heat")), expected);
}

#[test]
fn a_part_that_is_there_is_not_computed_again_and_one_of_something_else_is_replaced() {
    use std::os::unix::fs::MetadataExt;
    let project = Project::new("  {}");
    scans(&project);
    let inode = || fs::metadata(project.path("parts/0.csv")).unwrap().ino();
    let log = part(&project, "0/2");
    assert!(
        log.contains("wrote parts/0.csv: shard 0/2, ") && log.contains(" of 12 files"),
        "{log}"
    );
    let first = inode();
    let log = part(&project, "0/2");
    assert!(log.contains("parts/0.csv is there already: shard 0/2"), "{log}");
    assert_eq!(inode(), first);
    let changes: [(&str, &dyn Fn()); 5] = [
        ("it is of another list of files: ", &|| {
            fs::remove_file(project.path("scans/copy.png")).unwrap();
        }),
        ("it is of another model: ", &|| project.write_model(0.03)),
        ("it is of other settings: foreign_images", &|| {
            project.configure("  foreign_images: flag");
        }),
        ("it is not what parts/0.csv.shard.json says", &|| {
            fs::write(project.path("parts/0.csv"), "changed").unwrap();
        }),
        ("there is no parts/0.csv.shard.json beside it", &|| {
            fs::remove_file(project.path("parts/0.csv.shard.json")).unwrap();
        }),
    ];
    for (said, change) in changes {
        change();
        let log = part(&project, "0/2");
        assert!(log.contains("replacing parts/0.csv: ") && log.contains(said), "{said}: {log}");
        let log = part(&project, "0/2");
        assert!(log.contains("is there already"), "{log}");
    }
    let log =
        log_of(&predict(&project, &["scans", "--shard", "1/2", "--output", "parts/0.csv"]), 0);
    assert!(log.contains("replacing parts/0.csv: it is shard 0/2, not 1/2"), "{log}");
}

#[test]
fn a_lost_part_is_named_with_the_command_that_makes_it() {
    let project = Project::new("  {}");
    scans(&project);
    for index in [0, 1, 3] {
        part(&project, &format!("{index}/4"));
    }
    let there = ["parts/0.csv", "parts/1.csv", "parts/3.csv"];
    let command = "predict --shard 2/4 --output parts/2.csv --device cpu scans";
    refused(&project, &there, &["shard 2/4 is missing", command]);
    refused(
        &project,
        &there[1..],
        &["2 shards are missing", "--shard 0/4 --output parts/0.csv", command],
    );
    let mut shell = Command::new("/bin/sh");
    shell.current_dir(project.path("")).arg("-c").arg(command);
    shell.env("PATH", Path::new(env!("CARGO_BIN_EXE_predict")).parent().unwrap());
    assert_eq!(shell.status().unwrap().code(), Some(0));
    log_of(&merge(&project, &[&there[..], &["parts/2.csv"]].concat()), 3);
}

#[test]
fn only_parts_of_one_result_are_merged() {
    let project = Project::new("  {}");
    scans(&project);
    let (first, second) = ("parts/0.csv", "parts/1.csv");
    part(&project, "0/2");
    part(&project, "1/2");
    refused(&project, &[first, second, first], &["both are shard 0/2"]);
    refused(&project, &[first, "parts/1.csv.shard.json"], &["name the part itself"]);
    refused(&project, &[first, "parts/2.csv"], &["there is no such part"]);
    log_of(&predict(&project, &["scans", "--shard", "2/3", "--output", "c.csv"]), 0);
    refused(&project, &[first, "c.csv"], &["it is shard 2/3, and the other is 0/2"]);

    let whole = fs::read(project.path(second)).unwrap();
    let mut changed = whole.clone();
    changed[20] ^= 1;
    fs::write(project.path(second), changed).unwrap();
    refused(&project, &[first, second], &["it is not what parts/1.csv.shard.json says"]);
    fs::write(project.path(second), &whole[..whole.len() - 1]).unwrap();
    refused(&project, &[first, second], &["it is not what parts/1.csv.shard.json says"]);
    fs::remove_file(project.path("parts/1.csv.shard.json")).unwrap();
    refused(&project, &[first, second], &["there is no parts/1.csv.shard.json"]);

    let mut merge_onto_a_part = command(&project, &["merge", first, second, "--output", first]);
    part(&project, "1/2");
    let log = log_of(&merge_onto_a_part.output().unwrap(), 1);
    assert!(log.contains("cannot be the output too"), "{log}");

    // A scan that vanishes between the shards.
    fs::rename(project.path("scans/copy.png"), project.path("copy.png")).unwrap();
    part(&project, "1/2");
    refused(&project, &[first, second], &["another list of files: ", "files 11, not 12"]);
    fs::rename(project.path("copy.png"), project.path("scans/copy.png")).unwrap();
    project.write_model(0.03);
    part(&project, "1/2");
    refused(&project, &[first, second], &["of another model: ", "weights "]);
    project.write_model(0.02);
    project.configure("  foreign_images: flag");
    part(&project, "1/2");
    refused(&project, &[first, second], &["other settings: foreign_images flag, not refuse"]);
    project.configure("  {}");
    part(&project, "1/2");
    log_of(&merge(&project, &[first, second]), 3);
}

/// A process that predicts `scans` and `last.png`, a pipe, as one shard. It has listed the pipe's
/// content, and waits for it again in the middle of the part.
struct Waiting(Child);

const WITH_A_PIPE: [&str; 6] = ["scans", "last.png", "--shard", "0/1", "--output", "parts/0.csv"];

impl Waiting {
    fn start(project: &Project) -> Self {
        let pipe = project.path("last.png");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut command = command(project, &WITH_A_PIPE);
        command.args(["--device", "cpu"]).stderr(Stdio::piped());
        let mut waiting = Self(command.spawn().unwrap());
        fs::write(&pipe, picture(120)).unwrap();
        let began = Instant::now();
        while in_parts(project).is_empty() {
            assert!(began.elapsed() < Duration::from_secs(60), "it began no part");
            assert_eq!(waiting.0.try_wait().unwrap(), None, "it ended by itself");
            std::thread::sleep(Duration::from_millis(10));
        }
        waiting
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn in_parts(project: &Project) -> Vec<String> {
    let Ok(entries) = fs::read_dir(project.path("parts")) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_killed_shard_leaves_no_part_and_completes_when_it_runs_again() {
    let project = Project::new("  {}");
    scans(&project);
    drop(Waiting::start(&project));
    let left = in_parts(&project);
    assert!(left.iter().all(|name| artifact::is_temporary(name)), "{left:?}");
    refused(&project, &["parts/0.csv"], &["there is no such part"]);

    let last = project.path("last.png");
    fs::remove_file(&last).unwrap();
    fs::write(&last, picture(120)).unwrap();
    log_of(&predict(&project, &WITH_A_PIPE), 0);
    assert_eq!(in_parts(&project), ["0.csv", "0.csv.shard.json"], "the rest is cleared");
    log_of(&merge(&project, &["parts/0.csv"]), 3);
    let one = predict(&project, &["scans", "last.png"]).stdout;
    assert!(fs::read(project.path("merged.csv")).unwrap() == one);
}

#[test]
fn a_scan_that_changes_meanwhile_leaves_no_part() {
    let project = Project::new("  {}");
    scans(&project);
    let mut waiting = Waiting::start(&project);
    fs::write(project.path("last.png"), picture(130)).unwrap();
    let mut log = String::new();
    waiting.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(waiting.0.wait().unwrap().code(), Some(1), "{log}");
    assert!(log.contains("last.png: it changed after the list of files was made"), "{log}");
    assert!(in_parts(&project).is_empty());
}

#[test]
fn a_scheduler_says_which_shard() {
    let project = Project::new("  {}");
    scans(&project);
    let shard = |choice: &str, variables: &[(&str, &str)]| {
        let mut command = command(&project, &["scans", "--shard", choice, "--output", "a.csv"]);
        command.args(["--device", "cpu"]).envs(variables.iter().copied()).output().unwrap()
    };
    let slurm = [
        ("SLURM_ARRAY_TASK_ID", "3"),
        ("SLURM_ARRAY_TASK_MIN", "1"),
        ("SLURM_ARRAY_TASK_COUNT", "3"),
    ];
    log_of(&shard("env", &slurm), 0);
    assert_eq!(record(&project, "a.csv")["shard"], "2/3");
    log_of(&shard("env/3", &[("JOB_COMPLETION_INDEX", "1")]), 0);
    assert_eq!(record(&project, "a.csv")["shard"], "1/3");
    for (choice, said) in [("env", "say --shard env/N"), ("env/1", "JOB_COMPLETION_INDEX is 1")] {
        let log = log_of(&shard(choice, &[("JOB_COMPLETION_INDEX", "1")]), 2);
        assert!(log.contains(said), "{log}");
    }
    log_of(&shard("3/3", &[]), 2);
}
