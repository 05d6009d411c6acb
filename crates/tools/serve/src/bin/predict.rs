//! Predictions of a folder of images: see `serve::offline`.

use std::process::ExitCode;

use serve::offline::{Arguments, run};

fn main() -> ExitCode {
    stage::run(|arguments: &Arguments| &arguments.common, run)
}
