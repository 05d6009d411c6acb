//! Helpers for the tests of the whole pipeline: the project's files, `dvc.yaml` as types, and
//! [`Sandbox`], a copy of the project in which `dvc` may run.
//!
//! Everything here panics with a message if something is wrong: it is only for tests.

mod declaration;
mod keys;
mod sandbox;

pub use declaration::{Pipeline, Stage};
pub use keys::{covers, leaves};
pub use sandbox::{Finished, Sandbox, dvc_in};

use std::fs;
use std::path::{Path, PathBuf};

/// The project's root folder.
///
/// # Panics
/// If the project's folder no longer exists.
pub fn project() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder.ancestors().nth(3).expect("crates/testing/ lies in the project");
    root.canonicalize().expect("the project is where it was built")
}

/// Every DVC root: the project itself, then its profiles by name.
///
/// # Panics
/// If `profiles/` cannot be read.
pub fn dvc_roots() -> Vec<PathBuf> {
    let folder = project().join("profiles");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut roots: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder that can be listed").path())
        .filter(|path| path.join("config.yaml").is_file())
        .collect();
    roots.sort();
    roots.insert(0, project());
    roots
}

/// A text file.
///
/// # Panics
/// If it cannot be read.
pub fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
