//! The programs that come with `hounsfield`, in the same folder: `hounsfield train` runs `train`.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::libtorch::Libtorch;

/// A program beside `hounsfield`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    about: &'static str,
    needs_libtorch: bool,
}

/// In the order of the pipeline, and then what is done with a model.
pub(crate) const PROGRAMS: [Program; 12] = [
    Program::new("ingest", "Stage 1: bring labelled scans into split folders").without_libtorch(),
    Program::new("validate", "Stage 2: find copies, leaks, shortcuts and odd pictures"),
    Program::new("prepare-base", "Stage 3: take a base such as VGG16, without its top"),
    Program::new("train", "Stage 4: train the classifier"),
    Program::new("select", "Stage 5: take the best checkpoint"),
    Program::new("calibrate", "Stage 6: fit the temperature, operating points and limits"),
    Program::new("evaluate", "Stage 7: score the model on the test split, and report"),
    Program::new("ensemble", "Make one model of several"),
    Program::new("register", "Register the model on an MLflow server"),
    Program::new("mlflow-sync", "Send an MLflow server the records that it missed")
        .without_libtorch(),
    Program::new("serve", "Serve predictions and a page"),
    Program::new("predict", "Predict images on this machine"),
];

/// The stages of the pipeline, in its order.
pub(crate) fn stages() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().take(7).map(|program| program.name)
}

impl Program {
    const fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about, needs_libtorch: true }
    }

    const fn without_libtorch(self) -> Self {
        Self { needs_libtorch: false, ..self }
    }

    /// The file of the program.
    pub(crate) fn path(self) -> Result<PathBuf> {
        let own = std::env::current_exe().context("find where hounsfield is installed")?;
        // A link to hounsfield stands for what it points to.
        let own = own.canonicalize().unwrap_or(own);
        let folder = own.parent().context("find the folder of hounsfield")?;
        Ok(folder.join(self.name))
    }

    /// The program, ready to run with libtorch in its way.
    pub(crate) fn command(self) -> Result<Command> {
        let path = self.path()?;
        if !path.is_file() {
            bail!(
                "run {}: it belongs beside hounsfield, and {} does not exist; install hounsfield again",
                self.name,
                path.display()
            );
        }
        let mut command = Command::new(path);
        if self.needs_libtorch {
            let libtorch = Libtorch::find().with_context(|| format!("run {}", self.name))?;
            command.env("LD_LIBRARY_PATH", libtorch.library_path());
        }
        Ok(command)
    }
}

/// The program of this name.
pub(crate) fn named(name: &OsStr) -> Option<Program> {
    PROGRAMS.into_iter().find(|program| name == program.name)
}

/// Becomes the program: its signals and exit code are the caller's.
///
/// # Errors
/// When the program is missing or cannot be started.
pub(crate) fn run(program: Program, arguments: &[OsString]) -> Result<Infallible> {
    let error = program.command()?.args(arguments).exec();
    Err(error).with_context(|| format!("run {}", program.name))
}

/// The programs as subcommands, for `--help`, completions and man pages.
pub(crate) fn commands() -> impl Iterator<Item = clap::Command> {
    PROGRAMS.into_iter().map(|program| {
        clap::Command::new(program.name).about(program.about).disable_help_flag(true).arg(
            clap::Arg::new("arguments")
                .value_name("ARGUMENTS")
                .help("Those of the program; --help lists them")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_come_first_and_in_order() {
        assert_eq!(stages().next(), Some("ingest"));
        assert_eq!(stages().last(), Some("evaluate"));
    }
}
