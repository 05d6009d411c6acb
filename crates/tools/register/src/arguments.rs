//! The command line, and its effect on the two configuration files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use config::{ConfigError, DeviceChoice};
use mlflow::ModelReference;
use program::{CommonArguments, Settings};
use services::Services;

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  register
      The model in model/ becomes the next version, and the champion if it beats the present one.
  register --name brain-mri
      The same for another registered model.
  MLFLOW_TRACKING_URI=https://mlflow.example.org register
      On another server than tracking.uri of config.yaml names.
  register --keep /tmp/before && dvc repro && register --against /tmp/before
      Train again, and say whether the new model is better than the old one. No server is needed.
  register --fetch models:/tumour-classifier@champion
      Bring a registered model back, as it was registered. The next `dvc repro` puts the
      pipeline's own model back in its place; --model writes elsewhere.

Exit codes:
  0  promoted: the alias champion points to the model
  3  not promoted: the alias challenger points to it, and the last lines say why
  1  failed
  2  bad usage or configuration

What must be shown is in the section promotion of config.yaml.
Research use only. Not a medical device.";

/// Register the model on an MLflow server, and let it challenge the champion
///
/// Logs the model folder with its scores, signature and input example, and makes it the next
/// version of a registered model. It becomes the champion only if it beats the present champion:
/// both predict the same test images, those that training of neither has a copy of.
#[derive(Debug, Clone, Parser)]
#[command(name = "register", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Configuration files and verbosity.
    #[command(flatten)]
    pub common: CommonArguments,

    /// The registered model [config: registry.model]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// The model to register, or with --fetch the folder to write [config: paths.model]
    #[arg(long, value_name = "FOLDER")]
    pub model: Option<PathBuf>,

    /// Where the models run: auto, cpu or cuda:N [params: evaluate.device]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,

    /// Register nothing: copy the model, with its scores and the digests of what it was trained on,
    /// to this folder, for --against later
    #[arg(long, value_name = "FOLDER", conflicts_with = "against")]
    pub keep: Option<PathBuf>,

    /// Register nothing: say whether the model passes the gate against the one that --keep put into
    /// this folder. Needs no server
    #[arg(long, value_name = "FOLDER")]
    pub against: Option<PathBuf>,

    /// Register nothing: take a model from the server and put it into the model folder. Give it as
    /// models:/NAME@ALIAS or models:/NAME/VERSION. Each file must have the digest it was registered
    /// with
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["keep", "against", "name"])]
    pub fetch: Option<ModelReference>,

    /// After how many seconds of silence another registration, which came first and is not done,
    /// counts as dead
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub patience: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u64 = text.parse().map_err(|_| "expected a whole number of seconds".to_owned())?;
    match seconds {
        0..10 => Err("a running registration reports every 5 seconds: give at least 10".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

impl Arguments {
    /// Both configuration files, changed by the flags and checked.
    pub(crate) fn settings(&self) -> Result<(Settings, Services), ConfigError> {
        let mut settings = self.common.settings()?;
        let mut services = Services::load(&self.common.config)?;
        if let Some(name) = &self.name {
            services.registry.model.clone_from(name);
        }
        if let Some(model) = &self.model {
            settings.config.paths.model.clone_from(model);
        }
        settings.params.evaluate.device = self.device.unwrap_or(settings.params.evaluate.device);
        services.check_as(Path::new("the command line"))?;
        Ok((settings, services))
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
