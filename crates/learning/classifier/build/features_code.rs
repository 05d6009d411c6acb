use std::fs;
use std::path::{Path, PathBuf};

/// The code that affects the features of an image, beside the settings: decoding and preparation,
/// the layers, and the libraries below both.
pub(crate) const ROOTS: [&str; 4] =
    ["../../data/imaging/src", "../winograd/src", "../../../Cargo.lock", "src"];

/// Files and folders of this crate that are used after the features. Only the files in this list
/// are left out, so that a new file counts until it is added here.
pub(crate) const AFTER_FEATURES: [&str; 14] = [
    "src/calibration.rs",
    "src/checkpoint.rs",
    "src/description",
    "src/description.rs",
    "src/foreign.rs",
    "src/learner",
    "src/learner.rs",
    "src/lib.rs",
    "src/model.rs",
    "src/model_folder.rs",
    "src/registered.rs",
    "src/seal.rs",
    "src/solved.rs",
    "src/summary.rs",
];

/// The files that affect features, in the same order everywhere.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let left_out = AFTER_FEATURES.map(|path| root.join(path));
    let mut files: Vec<PathBuf> =
        ROOTS.iter().flat_map(|source| files_below(&root.join(source))).collect();
    files.retain(|file| !left_out.iter().any(|path| file.starts_with(path)));
    files
}

/// The file itself, or all files of the folder, sorted.
fn files_below(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| {
        panic!("list {}: {error}", path.display());
    });
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder entry").path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| files_below(path)).collect()
}
