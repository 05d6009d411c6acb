//! `hounsfield`: the command that people install.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Command, FromArgMatches, Subcommand};

mod completions;
mod data;
mod doctor;
mod init;
mod libtorch;
mod programs;
mod python;
mod scores;
mod versions;

const WAY: &str = "\
From data to a report:
  hounsfield doctor                              what this machine has, and what it lacks
  hounsfield init lungs --data ~/chest-ct.zip    a study of your own; --from sample needs no data
  cd lungs && dvc repro                          the whole pipeline
  hounsfield scores                              what came out, and what it is worth
  dvc exp run -S train.seed=18                   one change: only what depends on it runs
  hounsfield search                              many changes of the head, scored by cross-validation
  hounsfield serve                               predictions and a page on http://127.0.0.1:8080

Exit codes: 0 done, 1 failed, 2 bad usage or configuration; a program's own code where one is run.
Research use only. Not a medical device.";

/// What `hounsfield` does itself. The other subcommands are programs: see [`programs`].
#[derive(Debug, Subcommand)]
enum Own {
    Init(init::Arguments),
    Data(data::Arguments),
    Doctor(doctor::Arguments),
    Scores(scores::Arguments),
    Search(python::SearchArguments),
    Export(python::ExportArguments),
    Completions(completions::Arguments),
    Man(completions::ManArguments),
    Versions(versions::Arguments),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    if let Some(program) = first.as_deref().and_then(programs::named) {
        let rest: Vec<OsString> = arguments.collect();
        return program::finish("hounsfield", programs::run(program, &rest));
    }
    let matches = command().get_matches();
    let own = match Own::from_arg_matches(&matches) {
        Ok(own) => own,
        Err(error) => error.exit(),
    };
    let done = match &own {
        Own::Init(arguments) => init::run(arguments),
        Own::Data(arguments) => data::run(arguments),
        Own::Doctor(arguments) => return program::finish("hounsfield", doctor::run(arguments)),
        Own::Scores(arguments) => scores::run(arguments),
        Own::Search(python::SearchArguments { arguments }) => {
            return program::finish("hounsfield", python::run(python::SEARCH, arguments));
        }
        Own::Export(python::ExportArguments { arguments }) => {
            return program::finish("hounsfield", python::run(python::EXPORT, arguments));
        }
        Own::Completions(arguments) => completions::print(arguments, command()),
        Own::Man(arguments) => completions::write_manual(arguments, command()),
        Own::Versions(arguments) => versions::run(arguments),
    };
    program::finish("hounsfield", done)
}

/// The whole command line, the programs included.
fn command() -> Command {
    let command = Command::new("hounsfield")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(WAY)
        .subcommand_required(true)
        .arg_required_else_help(true);
    Own::augment_subcommands(command)
        .subcommands(programs::commands())
        .about("Train tumour-image classifiers, and see what their scores are worth")
        .long_about(None)
}

/// A line for people who wait, on standard error.
fn note(text: &str) {
    // Where nobody can read it, nothing is lost.
    let _ = writeln!(std::io::stderr(), "{}", terminal::shown_lines(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
