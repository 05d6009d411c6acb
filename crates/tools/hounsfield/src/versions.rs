//! What DVC's stage `programs` of a study runs: which tool the stages are run with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::programs;

/// Write the version of each stage's program, for DVC to compare
///
/// A study's stages depend on these files, so that another version of hounsfield runs them again and
/// the same version does not. In a source tree they hold a digest of the program's code instead.
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct Arguments {
    /// Write a file for each stage into this folder
    #[arg(value_name = "FOLDER", default_value = "artifacts/programs")]
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(source) = std::env::var_os("HOUNSFIELD_SOURCE") {
        return digest(&PathBuf::from(source), &arguments.folder);
    }
    artifact::create_folder(&arguments.folder)?;
    for stage in programs::stages() {
        let text = format!("hounsfield {}\n", env!("CARGO_PKG_VERSION"));
        artifact::write_file(&arguments.folder.join(format!("{stage}.txt")), text.as_bytes())?;
    }
    Ok(())
}

fn digest(source: &std::path::Path, folder: &std::path::Path) -> Result<()> {
    let own = std::env::current_exe().context("find where hounsfield is")?;
    let status = Command::new(own.with_file_name("program-digest"))
        .args(programs::stages())
        .arg("--workspace")
        .arg(source)
        .arg("--output")
        .arg(folder)
        .status()
        .context("run program-digest")?;
    if !status.success() {
        bail!("digest the programs of {}: program-digest ended with {status}", source.display());
    }
    Ok(())
}
