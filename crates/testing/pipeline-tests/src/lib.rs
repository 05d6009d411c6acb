//! What the tests of the whole pipeline stand on: the project's files, `dvc.yaml` as types, [`Sandbox`],
//! a copy of the project in which `dvc` may run, and [`Study`], which the installed tool made.
//!
//! Everything here panics with a message if something is wrong: it is only for tests.

mod declaration;
mod keys;
mod sandbox;
mod study;

pub use declaration::{Pipeline, Stage};
pub use keys::{covers, leaves};
pub use sandbox::{Finished, Sandbox, dvc_in};
pub use study::{Study, in_study};

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

/// A text file.
///
/// # Panics
/// If it cannot be read.
pub fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
