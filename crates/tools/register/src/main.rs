//! Outside the pipeline: see the library of the same name.

use std::process::ExitCode;

use register::Arguments;

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, register::run)
}
