//! Starts `program-digest`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use program_digest::Workspace;

const EXAMPLES: &str = "\
Example (in a source tree, scripts/stage before the name):
  program-digest ingest train --output artifacts/programs
      Writes artifacts/programs/ingest.txt and train.txt: a digest of each crate that the program
      is made of, of the libraries that it is built with, and of the settings of the build.

DVC's stage `programs` runs it. A change of a comment, a doc comment or a test leaves the files as
they are, so no stage runs again for it.

Exit codes: 0 done, 1 failed, 2 bad usage.";

/// Write what the programs of stages are made of
#[derive(Debug, Parser)]
#[command(name = "program-digest", version, after_help = EXAMPLES)]
struct Arguments {
    /// Packages whose programs are meant
    #[arg(required = true, value_name = "PROGRAM")]
    programs: Vec<String>,

    /// The source tree that the programs are of
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    workspace: PathBuf,

    /// Write the files into this folder
    #[arg(long, value_name = "FOLDER", default_value = "artifacts/programs")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error cannot be written, only the exit code reports the failure.
            let _ = writeln!(std::io::stderr(), "program-digest: failed to {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::read(&arguments.workspace)?;
    let digests = workspace.digests(&arguments.programs)?;
    artifact::create_folder(&arguments.output)?;
    for (program, text) in &digests {
        artifact::write_file(&arguments.output.join(format!("{program}.txt")), text.as_bytes())?;
    }
    Ok(())
}
