//! Gives the crate a digest of the code that makes features, so that it does not reuse stored
//! features of other code.

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
