//! Stage 4: trains the head, and the layers that are not frozen.

use std::process::ExitCode;

fn main() -> ExitCode {
    train::start()
}
