//! Stage 5: see the library of the same name.

use std::process::ExitCode;

use select::Arguments;

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, select::run)
}
