//! The features that are kept on disk: when they are found again, when they may be removed, and
//! that they never change a result.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::project::Project;
use crate::{FROZEN, IN_TURN, wait_for};

/// Number of different pictures in a project: the validation images are copies of training images.
const PICTURES: usize = 20;
/// Size of their features with the global-pool head: 512 values and 44 bytes of the file's own
/// each.
const ONE_SET_BYTES: u64 = PICTURES as u64 * (512 * 4 + 44);

#[test]
fn kept_features_change_no_byte_and_damaged_ones_are_made_again() {
    for changes in [FROZEN, IN_TURN] {
        let project = Project::new(changes);
        project.succeed(&[]);
        let cold = project.published();
        let warm = project.train_anew(&[]);
        assert!(warm.contains("features: 0 computed"), "{warm}");
        assert!(project.published() == cold, "warm features gave other bytes");
        for entry in kept(&project) {
            fs::write(entry, b"damaged").expect("writable");
        }
        let mended = project.train_anew(&[]);
        assert!(!mended.contains("features: 0 computed"), "{mended}");
        assert!(project.published() == cold, "damaged features gave other bytes");
        let warm = project.train_anew(&[]);
        assert!(warm.contains("features: 0 computed"), "{warm}");
    }
}

#[test]
fn every_view_is_computed_once() {
    let project = Project::new(IN_TURN);
    let log = project.succeed(&["--epochs", "4"]);
    // 20 training images in two views, eight validation images.
    let expected = format!("features: {} computed, {} found", 20 * 2 + 8, 20 * 2 + 8 * 3);
    assert!(log.contains(&expected), "{log}");
    assert_eq!(kept(&project).len(), 20 * 2 + 8);
}

#[test]
fn another_learning_rate_number_of_epochs_or_dense_layer_leaves_the_base_alone() {
    let project = Project::new(FROZEN);
    project.succeed(&[]);
    for flags in [["--learning-rate", "0.01"], ["--epochs", "2"], ["--seed", "18"]] {
        let log = project.succeed(&flags);
        assert!(log.contains("features: 0 computed"), "{flags:?}: {log}");
    }
    let other_head = Project::new(&[("hidden_units: 0", "hidden_units: 16")]);
    let store = project.path("artifacts/features");
    other_head.configure(&format!("paths: {{features: {}}}", store.display()));
    let log = other_head.succeed(&[]);
    assert!(log.contains("features: 0 computed"), "{log}");
}

#[test]
fn a_partly_frozen_base_is_kept_up_to_its_deepest_frozen_layer() {
    let project = Project::new(&[("freeze: all", "freeze: {until: block4_pool}")]);
    project.succeed(&["--epochs", "2"]);
    let cold = project.published();
    // 512 channels of 2×2 after four poolings of 32 pixels, and the file's own 44 bytes.
    let bytes = |path: &PathBuf| fs::metadata(path).expect("a file").len();
    assert!(kept(&project).iter().all(|path| bytes(path) == 512 * 2 * 2 * 4 + 44));
    let log = project.train_anew(&["--epochs", "2"]);
    assert!(log.contains("features: 0 computed"), "{log}");
    assert!(project.published() == cold, "warm features gave other bytes");
}

#[test]
fn two_processes_fill_one_store_at_once_and_both_end_with_their_own_bytes() {
    const RATES: [&str; 2] = ["0.001", "0.002"];
    let alone = Project::new(FROZEN);
    for rate in RATES {
        alone.succeed(&["--learning-rate", rate]);
    }
    let shared = Project::new(FROZEN);
    let start = |rate| {
        let mut command = shared.train(&["--learning-rate", rate]);
        command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a process")
    };
    let both = RATES.map(start);
    for process in both {
        let output = process.wait_with_output().expect("the end of the process");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
    }
    assert!(shared.published() == alone.published(), "together they ended with other bytes");
    assert_eq!(kept(&shared).len(), PICTURES);
    assert!(shared.train_anew(&[]).contains("features: 0 computed"));
}

#[test]
fn a_store_removed_under_a_running_process_breaks_nothing() {
    let undisturbed = Project::new(FROZEN);
    undisturbed.succeed(&["--epochs", "40"]);
    let project = Project::new(FROZEN);
    let mut running =
        project.train(&["--epochs", "40"]).stderr(Stdio::piped()).spawn().expect("a process");
    wait_for(&mut running, "epoch 1/40");
    // The removal fails if the process adds a file between the listing and the removal.
    while project.path("artifacts/features").exists() {
        let _ = fs::remove_dir_all(project.path("artifacts/features"));
    }
    assert!(running.wait().expect("the end of the process").success());
    assert!(project.published() == undisturbed.published(), "it ended with other bytes");
}

#[test]
fn the_limit_holds_and_what_was_used_longest_ago_goes() {
    let project = Project::new(FROZEN);
    project.configure(&limit(ONE_SET_BYTES + 1_000));
    project.succeed(&[]);
    let first: Vec<PathBuf> = kept(&project);
    assert_eq!(first.len(), PICTURES);
    project.change_params("normalisation: auto", "normalisation: unit");
    let log = project.train_anew(&[]);
    assert!(log.contains("features that were used longest ago"), "{log}");
    assert!(first.iter().all(|path| !path.exists()));
    assert_eq!(kept(&project).len(), PICTURES);
    let undisturbed = Project::new(&[("normalisation: auto", "normalisation: unit")]);
    undisturbed.succeed(&[]);
    assert!(project.published() == undisturbed.published(), "it ended with other bytes");
}

#[test]
fn what_a_running_process_uses_is_not_removed_by_another() {
    let project = Project::new(FROZEN);
    project.configure(&limit(ONE_SET_BYTES + 1_000));
    let mut running =
        project.train(&["--epochs", "500"]).stderr(Stdio::piped()).spawn().expect("a process");
    wait_for(&mut running, "epoch 1/500");
    // It keeps running, but does not finish before the other.
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("SIGSTOP");
    let used = kept(&project);
    assert_eq!(used.len(), PICTURES);

    project.change_params("normalisation: auto", "normalisation: unit");
    let log = project.succeed(&[]);
    running.kill().expect("SIGKILL");
    running.wait().expect("the end of the process");
    assert!(log.contains("leaves room for the features of 0 of 20 images"), "{log}");
    assert_eq!(kept(&project), used);

    // No process uses its features now.
    let log = project.train_anew(&[]);
    assert!(log.contains("removed the"), "{log}");
    assert!(log.contains("features: 20 computed"), "{log}");
}

#[test]
fn nothing_is_kept_with_a_limit_of_nothing() {
    let project = Project::new(FROZEN);
    project.configure("features: {limit_gigabytes: 0}");
    project.succeed(&["--epochs", "1"]);
    assert!(!project.path("artifacts/features").exists());
}

/// A head so small that a file of features is the largest file that `train` writes: a limit on the
/// size of files, which simulates a full disk, affects nothing else.
const SMALL_HEAD: &[(&str, &str)] = &[
    ("image_size: 32", "image_size: 128"),
    ("freeze: all", "freeze: {until: block5_conv3}"),
    ("epochs: 5", "epochs: 1"),
];

fn train_on_full_disk(project: &Project) -> std::process::Output {
    let program = project.train(&[]).get_program().to_owned();
    // 64 or 128 kB, in the shell's units. A file of features has 131 kB.
    let script = format!("trap '' XFSZ; ulimit -f 128; exec {}", program.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(project.path(""));
    command.env_remove("HOUNSFIELD_LOG").env_remove("MLFLOW_TRACKING_URI");
    command.output().expect("a shell")
}

#[test]
fn a_full_disk_is_an_error_that_says_how_much_is_missing_and_what_to_do() {
    let project = Project::new(SMALL_HEAD);
    let output = train_on_full_disk(&project);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    for part in [
        "keep features in artifacts/features: File too large",
        "2.622 MB are needed",
        "make clean-features",
        "features.limit_gigabytes",
        "features.on_full_disk: go_without",
    ] {
        assert!(log.contains(part), "{part:?} is missing in {log}");
    }
    let left = files_below(&project.path("artifacts/features/writing"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_full_disk_changes_no_byte_where_training_may_go_without() {
    let undisturbed = Project::new(SMALL_HEAD);
    undisturbed.succeed(&[]);
    let project = Project::new(SMALL_HEAD);
    project.configure("features: {on_full_disk: go_without}");
    let output = train_on_full_disk(&project);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert_eq!(log.matches("what cannot be kept is computed each time").count(), 1, "{log}");
    assert!(project.published() == undisturbed.published(), "it ended with other bytes");
    assert!(kept(&project).is_empty());
}

fn limit(bytes: u64) -> String {
    format!("features: {{limit_gigabytes: {}}}", bytes as f64 / 1e9)
}

/// The files of features, sorted.
fn kept(project: &Project) -> Vec<PathBuf> {
    let mut files = files_below(&project.path("artifacts/features"));
    files.retain(|path| path.extension().is_some_and(|extension| extension == "features"));
    files.sort();
    files
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn processes_divide_the_features_and_a_training_finds_all_of_them() {
    for changes in [FROZEN, IN_TURN] {
        let alone = Project::new(changes);
        alone.succeed(&[]);
        let divided = Project::new(changes);
        let mut images = 0;
        for shard in ["0/3", "1/3", "2/3"] {
            divided.succeed(&["--features", "--shard", shard]);
            let now = kept(&divided).len();
            assert!(now > images, "{shard} has no image");
            images = now;
            let again = divided.run(&["--features", "--shard", shard]).stdout;
            let again = String::from_utf8_lossy(&again);
            assert!(again.contains("; 0 computed"), "{again}");
        }
        assert_eq!(images, kept(&alone).len());
        let log = divided.succeed(&[]);
        assert!(log.contains("features: 0 computed"), "{log}");
        assert!(divided.published() == alone.published());
    }
}

#[test]
fn features_that_would_not_be_kept_are_not_computed() {
    let nothing_frozen = Project::new(&[("freeze: all", "freeze: none")]);
    let log = nothing_frozen.fail(1, &["--features"]);
    assert!(log.contains("no layer of the base is frozen"), "{log}");
    let no_room = Project::new(FROZEN);
    no_room.configure("features: {limit_gigabytes: 0}");
    let log = no_room.fail(1, &["--features"]);
    assert!(log.contains("features.limit_gigabytes is 0"), "{log}");
    let log = no_room.fail(2, &["--features", "--shard", "3/3"]);
    assert!(log.contains("numbers 0 to 2, not 3"), "{log}");
    let log = no_room.fail(2, &["--shard", "0/3"]);
    assert!(log.contains("--features"), "{log}");
}
