//! Stage 3: see the library of the same name.

use std::process::ExitCode;

use prepare_base::Arguments;

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, prepare_base::run)
}
