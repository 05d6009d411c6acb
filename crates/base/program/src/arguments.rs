use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgAction, Args};
use config::{Config, ConfigError, Params};

/// Arguments that every stage takes. Flatten them into the stage's own.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub struct CommonArguments {
    /// Where things are: sources, paths, endpoints
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    pub config: PathBuf,

    /// What may be tuned: one section per stage
    #[arg(long, value_name = "FILE", default_value = "params.yaml")]
    pub params: PathBuf,

    /// Say more on standard error (-vv for everything)
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// Say only warnings and errors, and draw no progress
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print the result as one line of JSON instead of as text
    #[arg(long)]
    pub json: bool,
}

/// Both configuration files, read and checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `config.yaml`.
    pub config: Config,
    /// `params.yaml`.
    pub params: Params,
}

impl CommonArguments {
    /// Prints the result of a program on standard output: `text` for people, or with `--json` the same
    /// `facts` as one line that scripts can read. docs/json.md lists them.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print(&self, text: &str, facts: &serde_json::Value) -> anyhow::Result<()> {
        let result = if self.json { facts.to_string() } else { text.trim_end().to_owned() };
        writeln!(terminal::Printed, "{result}").context("print the result")
    }

    /// Reads both configuration files.
    ///
    /// # Errors
    /// When one is missing or refused; the program then ends with exit code 2.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        Ok(Settings { config: Config::load(&self.config)?, params: Params::load(&self.params)? })
    }
}
