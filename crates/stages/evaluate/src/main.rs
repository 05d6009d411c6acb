//! Stage 7: see the library of the same name.

use std::process::ExitCode;

use evaluate::Arguments;

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, evaluate::run)
}
