//! Predictions for a folder of images: see `serve::offline`.

use std::process::ExitCode;

use clap::Parser;
use serve::offline::{Arguments, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (verbose, quiet) = arguments.verbosity();
    program::start_logging(verbose, quiet);
    program::finish("predict", run(&arguments))
}
