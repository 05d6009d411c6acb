//! Tells the crate which code makes features, so that those kept on disk by other code are not
//! taken for its own.

use std::path::PathBuf;
use std::{env, fs};

use artifact::Digest;

mod features_code;

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for file in features_code::files(&root) {
        fields.push(fs::read(&file).unwrap_or_else(|error| {
            panic!("read {}: {error}", file.display());
        }));
    }
    for source in features_code::ROOTS {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rustc-env=FEATURES_CODE={}", Digest::of_fields(fields));
}
