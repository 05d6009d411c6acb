//! The command line, and its effect on the two configuration files.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;
use config::{ConfigError, DeviceChoice};
use program::{CommonArguments, Settings};

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  evaluate
      Score the model that select made.
  evaluate --device cpu --output /tmp/scores
      Score it on the CPU and leave the tracked scores alone.
  evaluate --data ~/other-hospital --output /tmp/other-hospital
      Score images from elsewhere, in <class>/… folders.
  evaluate --dump-inputs inputs.safetensors --limit 10
      Write the input and output of ten images, to check them in another framework.

What it writes:
  report.html            everything below for people, with the mistakes and where the model looked
  scores.json            what the score is worth, then every score with its 95 % interval
  predictions.csv        one row per image: actual and predicted class, every probability
  confusion_matrix.csv   images by actual and predicted class
  roc.csv                ROC curve of every class against the others
  reliability.csv        confidence against accuracy
  history.csv            loss and accuracy of the training, epoch by epoch

Exit codes: 0 done, 1 failed, 2 bad usage or configuration.

Research use only. Not a medical device.";

/// Score the selected model on the test split
///
/// Runs the model over every test image, each checked against the manifest's digest, and writes
/// scores, predictions, plots and a report. The model is set beside baselines that cannot know
/// anything about tumours; where training has copies of test images, or images that look like them,
/// the head is trained again without these to see what they are worth. The images are also scored
/// with parts removed or changed, and the heat maps are tested
/// (evaluate.probes and evaluate.explanations in params.yaml).
#[derive(Debug, Clone, Parser)]
#[command(name = "evaluate", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Configuration files and verbosity.
    #[command(flatten)]
    pub common: CommonArguments,

    /// Score this model [config: paths.model]
    #[arg(long, value_name = "FOLDER")]
    pub model: Option<PathBuf>,

    /// Write here [config: paths.evaluation]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// Score the images below this folder instead of the test split. The nearest folder above an
    /// image tells its class, by data.classes of config.yaml.
    /// Needs --output, so that the tracked scores stay
    #[arg(long, value_name = "FOLDER", requires = "output")]
    pub data: Option<PathBuf>,

    /// Where the model runs: auto, cpu or cuda:N [params: evaluate.device]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,

    /// Score nothing: write input tensors [N, 3, S, S], probabilities [N, classes] and Grad-CAM maps
    /// [N, S/16, S/16] of the first test images to a safetensors file, for checking the model in
    /// another framework
    #[arg(long, value_name = "FILE")]
    pub dump_inputs: Option<PathBuf>,

    /// How many images --dump-inputs writes
    #[arg(long, value_name = "COUNT", default_value = "10", requires = "dump_inputs")]
    pub limit: NonZeroUsize,
}

impl Arguments {
    /// Both configuration files, changed by the flags.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = self.common.settings()?;
        if let Some(model) = &self.model {
            settings.config.paths.model.clone_from(model);
        }
        if let Some(output) = &self.output {
            settings.config.paths.evaluation.clone_from(output);
        }
        settings.params.evaluate.device = self.device.unwrap_or(settings.params.evaluate.device);
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
