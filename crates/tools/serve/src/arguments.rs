//! The command line, and its effect on config.yaml.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use config::{Config, ConfigError, DeviceChoice};
use services::Services;

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  serve
      The model in model/ on http://127.0.0.1:8080, for this machine alone.
  serve --address 127.0.0.1:0
      On a free port; the first line on standard output says which.
  serve key --name ward-3 --role predict
      Make a key, and print the lines for config.yaml; kill -HUP makes a running server read
      them.
  serve key --revoke ward-3
      Revoke it, also on a running server.

  curl --data-binary @scan.png http://127.0.0.1:8080/v1/predict
  curl -F file=@a.png -F file=@b.dcm 'http://127.0.0.1:8080/v1/predict?explain=grad-cam'

Everything else is set under serve: in config.yaml.

Exit codes: 0 stopped as it was asked to, 1 failed, 2 bad usage or configuration.

Research use only. Not a medical device.";

/// Predict over HTTP, with a page
///
/// Loads the model, checks every digest, predicts one blank image, and only then listens. Without
/// keys it listens to this machine alone. SIGTERM or Ctrl-C: it takes no more requests, ends those
/// in flight, and exits.
#[derive(Debug, Clone, Parser)]
#[command(name = "serve", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Where things are: sources, paths, endpoints
    #[arg(long, value_name = "FILE", default_value = "config.yaml", global = true)]
    pub config: PathBuf,

    /// Listen here [config: serve.address]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub address: Option<SocketAddr>,

    /// Serve this model [config: paths.model]
    #[arg(long, value_name = "FOLDER")]
    pub model: Option<PathBuf>,

    /// Where the model runs: auto, cpu or cuda:N [config: serve.device]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,

    /// Ask the running server whether it lives, and exit: code 0 if it does, else 1
    #[arg(long)]
    pub health: bool,

    /// How log lines on standard error look
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub log: LogFormat,

    /// Say more on standard error (-vv for everything)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Say only warnings and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make a key: prints it once, and what to write into config.yaml. Or take one back
    ///
    /// A server that runs reads the keys of config.yaml again on SIGHUP. One that was taken back is
    /// refused within a few seconds, without a signal, and stays so when it still stands there.
    Key {
        /// Whose it is; named in the records
        #[arg(long, required_unless_present = "revoke")]
        name: Option<String>,
        /// What it allows
        #[arg(long, value_enum, required_unless_present = "revoke")]
        role: Option<RoleArgument>,
        /// Take back the key of this name in config.yaml
        #[arg(long, value_name = "NAME", conflicts_with_all = ["name", "role"])]
        revoke: Option<String>,
    },
    /// Print the description of the API, OpenAPI 3.1 in JSON
    Openapi,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, else JSON
    Auto,
    /// For people
    Text,
    /// For programs: one object a line
    Json,
}

/// A role, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArgument {
    /// Ask for predictions
    Predict,
    /// See earlier predictions and correct them
    Review,
    /// Train, and change the model that is served
    Admin,
}

impl From<RoleArgument> for services::Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Predict => Self::Predict,
            RoleArgument::Review => Self::Review,
            RoleArgument::Admin => Self::Admin,
        }
    }
}

/// config.yaml: the settings of the pipeline and of the server.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) services: Services,
}

impl Arguments {
    /// config.yaml, changed by the flags.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let (config, mut services) = (Config::load(&self.config)?, Services::load(&self.config)?);
        services.serve.address = self.address.unwrap_or(services.serve.address);
        services.serve.device = self.device.unwrap_or(services.serve.device);
        Ok(Settings { config, services })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
