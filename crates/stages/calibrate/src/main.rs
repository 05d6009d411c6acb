//! Stage 6: see the library of the same name.

use std::process::ExitCode;

use calibrate::Arguments;

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, calibrate::run)
}
