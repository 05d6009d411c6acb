//! Completions for shells, and man pages.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hounsfield completions bash > ~/.local/share/bash-completion/completions/hounsfield
  hounsfield completions zsh > ~/.zfunc/_hounsfield
  hounsfield completions fish > ~/.config/fish/completions/hounsfield.fish")]
pub(crate) struct Arguments {
    /// Which shell
    shell: Shell,
}

/// Write man pages
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  hounsfield man ~/.local/share/man/man1 && man hounsfield-init")]
pub(crate) struct ManArguments {
    /// Write them into this folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn print(arguments: &Arguments, mut command: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "hounsfield", &mut script);
    terminal::Output.write_all(&script).context("print the completions")
}

pub(crate) fn write_manual(arguments: &ManArguments, command: Command) -> Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write_page(arguments, &command, "hounsfield")?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_page(arguments, sub, &format!("hounsfield-{}", sub.get_name()))?;
    }
    Ok(())
}

fn write_page(arguments: &ManArguments, command: &Command, name: &str) -> Result<()> {
    let page = clap_mangen::Man::new(command.clone()).title(name);
    let path = arguments.folder.join(format!("{name}.1"));
    artifact::write_with(&path, |file| page.render(file))?;
    Ok(())
}
