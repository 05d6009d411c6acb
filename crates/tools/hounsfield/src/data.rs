//! Points a study at other scans.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::init::{Placement, Study};

/// Point a study at other scans
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hounsfield data ~/more-scans.zip             copied into the study, and tracked by DVC
  hounsfield data --in-place /mnt/pacs/lungs   left where it is

The classes in config.yaml stay. Scans that were in the study remain in DVC's cache.")]
pub(crate) struct Arguments {
    /// A folder or zip file of labelled scans
    #[arg(value_name = "PATH")]
    data: PathBuf,

    /// Leave the scans where they are: nothing is copied, and nobody else gets them by dvc pull
    #[arg(long)]
    in_place: bool,

    /// The study
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    study: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let study = Study::at(&arguments.study);
    if !study.path("dvc.yaml").is_file() {
        bail!("change {}: it is no study, for it has no dvc.yaml", arguments.study.display());
    }
    study.place_data(&arguments.data, Placement::of(arguments.in_place))?;
    let done = format!("{} has other scans; now: dvc repro\n", arguments.study.display());
    terminal::Printed.write_all(done.as_bytes()).context("print what was done")
}
