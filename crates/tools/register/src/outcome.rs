//! The program's output and exit code.

use std::io::Write;

use anyhow::{Context, Result};
use classifier::description::ModelDescription;

/// The exit code for a model that was registered but not promoted.
pub const NOT_PROMOTED: u8 = 3;

/// Prints an outcome.
pub(crate) fn print(text: &str) -> Result<()> {
    writeln!(terminal::Printed, "{text}\n{}", ModelDescription::NOTICE).context("print the outcome")
}
