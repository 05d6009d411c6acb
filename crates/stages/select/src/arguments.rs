//! The command line, and its effect on the two configuration files.

use std::path::{Path, PathBuf};

use clap::Parser;
use config::ConfigError;
use program::{CommonArguments, Settings};

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  select
      Take the checkpoint with the highest validation accuracy.
  select --pattern 'model_e[1-5]_acc.*_vacc(\\d\\.\\d+)\\.'
      Take the best of the first five epochs.
  select --checkpoint artifacts/model_training/Checkpoint_<run>/model_e3_….safetensors
      Take this one.

Ties go to the lower validation loss, then the earlier epoch, then the name. Only checkpoints
trained on the present data and the present base compete.

Exit codes: 0 done, 1 failed, 2 bad usage or configuration.

Research use only. Not a medical device.";

/// Make the best checkpoint the model
///
/// Ranks the checkpoints of every training on the present data by the validation accuracy that they
/// record, checks the winner's digest and that its base is the present one, and writes the
/// whole model, its class indices and where it came from.
#[derive(Debug, Clone, Parser)]
#[command(name = "select", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Configuration files and verbosity.
    #[command(flatten)]
    pub common: CommonArguments,

    /// Only checkpoints compete whose names fit this regular expression. Its one capture group is
    /// the validation accuracy in the name [params: select.checkpoint_pattern]
    #[arg(long, value_name = "REGEX", conflicts_with = "checkpoint")]
    pub pattern: Option<String>,

    /// Take this checkpoint, whatever its accuracy
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,

    /// Moved: `register --fetch MODEL` brings a registered model back
    #[arg(long, value_name = "MODEL", hide = true)]
    pub from_registry: Option<String>,

    /// Write the model here [config: paths.model]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
}

impl Arguments {
    /// Both configuration files, changed by the flags and checked.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = self.common.settings()?;
        if let Some(pattern) = &self.pattern {
            settings.params.select.checkpoint_pattern.clone_from(pattern);
        }
        if let Some(output) = &self.output {
            settings.config.paths.model.clone_from(output);
        }
        settings.params.check_as(Path::new("the command line"))?;
        Ok(settings)
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
