//! Stage 2: see the library of the same name.

use std::process::ExitCode;

use validate::Arguments;

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, validate::run)
}
