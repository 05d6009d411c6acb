use std::process::{ExitCode, Termination};

use clap::Parser;
use config::ConfigError;

use crate::{CommonArguments, logging};

/// A request that cannot be fulfilled as given. Ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Parses the arguments `A`, starts logging, does the work, and turns the outcome into an exit
/// code: 0 done (or the code that the work returns), 1 failed, 2 bad usage or configuration.
///
/// The error is printed to standard error as `<program>: failed to …`, with its causes.
pub fn run<A: Parser, T: Termination>(
    common: impl FnOnce(&A) -> &CommonArguments,
    work: impl FnOnce(&A) -> anyhow::Result<T>,
) -> ExitCode {
    let arguments = A::parse();
    let common = common(&arguments);
    logging::start(common.verbose, common.quiet);
    finish(A::command().get_name(), work(&arguments))
}

/// The exit code for the outcome of `program`; an error is printed first, unless it is that nobody
/// reads standard output any more. [`run`] uses it, and
/// programs that start in another way call it themselves.
pub fn finish<T: Termination>(program: &str, outcome: anyhow::Result<T>) -> ExitCode {
    match outcome {
        Ok(done) => done.report(),
        // As of `predict … | head`.
        Err(_) if terminal::reader_is_gone() => ExitCode::SUCCESS,
        Err(error) => {
            logging::report(program, &error);
            ExitCode::from(exit_number(&error))
        }
    }
}

/// The exit code for an error: 2 for bad usage or configuration, else 1.
pub fn exit_number(error: &anyhow::Error) -> u8 {
    let refused = error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<UsageError>());
    if refused { 2 } else { 1 }
}
