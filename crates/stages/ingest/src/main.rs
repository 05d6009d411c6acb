//! Stage 1: see the library of the same name.

use std::process::ExitCode;

use ingest::Arguments;

fn main() -> ExitCode {
    program::run(|arguments: &Arguments| &arguments.common, ingest::run)
}
