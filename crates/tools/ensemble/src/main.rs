//! Beside the pipeline: see the library of the same name.

use std::process::ExitCode;

use ensemble::Arguments;

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, ensemble::run)
}
