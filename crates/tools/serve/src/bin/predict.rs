//! Predictions for a folder of images: see `serve::offline`.

use std::process::ExitCode;

use serve::offline::{Arguments, run};

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, run)
}
