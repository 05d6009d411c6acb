//! Stored features of other code are not reused by this code.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::fs;
use std::path::Path;

#[path = "../build/features_code.rs"]
mod features_code;

/// A workspace with the folders at the start of the list, and these files.
fn workspace(more: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let crates = folder.path().join("crates");
    let usual = ["data/imaging/src/lib.rs", "learning/winograd/src/lib.rs", "../Cargo.lock"];
    let own = ["lib.rs", "learner.rs", "network/layer.rs"];
    let own = own.map(|file| format!("learning/classifier/src/{file}"));
    for file in usual.iter().chain(more).map(|file| (*file).to_owned()).chain(own) {
        let path = crates.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

fn listed(folder: &Path) -> Vec<String> {
    let root = folder.join("crates/learning/classifier");
    let files = features_code::files(&root);
    files.iter().map(|file| file.strip_prefix(&root).unwrap().display().to_string()).collect()
}

#[test]
fn a_file_that_nobody_listed_counts() {
    let before = listed(workspace(&[]).path());
    let new = ["learning/classifier/src/new_layer.rs", "learning/winograd/src/new/kernel.rs"];
    let after = listed(workspace(&new).path());
    let new: Vec<&String> = after.iter().filter(|file| !before.contains(file)).collect();
    assert_eq!(new, ["../winograd/src/new/kernel.rs", "src/new_layer.rs"]);
}

#[test]
fn what_comes_after_the_features_does_not_count() {
    let more = ["learning/classifier/src/learner/average.rs", "learning/classifier/src/model.rs"];
    let files = listed(workspace(&more).path());
    assert!(files.iter().any(|file| file == "src/network/layer.rs"), "{files:?}");
    assert!(!files.iter().any(|file| file.contains("learner") || file.contains("model")));
}

#[test]
fn what_is_listed_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for source in features_code::ROOTS.iter().chain(&features_code::AFTER_FEATURES) {
        assert!(root.join(source).exists(), "{source}");
    }
}
