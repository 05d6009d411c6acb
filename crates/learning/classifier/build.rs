//! Tells the crate which code makes features, so that those kept on disk by other code are not
//! taken for its own.

use std::path::{Path, PathBuf};
use std::{env, fs};

use artifact::Digest;

/// What decides the features of an image, beside the settings: how it is decoded and prepared,
/// the layers, and the libraries below both.
const SOURCES: [&str; 10] = [
    "../../data/imaging/src",
    "../winograd/src",
    "../../../Cargo.lock",
    "src/backend.rs",
    "src/backend",
    "src/features.rs",
    "src/network",
    "src/network.rs",
    "src/tensors.rs",
    "src/vgg16.rs",
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        for file in files_below(&root.join(source)) {
            fields.push(fs::read(&file).unwrap_or_else(|error| {
                panic!("read {}: {error}", file.display());
            }));
        }
    }
    println!("cargo::rustc-env=FEATURES_CODE={}", Digest::of_fields(fields));
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
