use std::str::FromStr;

use anyhow::Result;
use clap::Parser;
use config::DeviceChoice;
use program::{CommonArguments, Settings};

/// Calibrate the model: temperature, thresholds, limits for out-of-distribution images
///
/// Reads the model that `select` wrote and the validation images, and leaves calibration.json and
/// foreign.safetensors beside the model. Where there are few validation images, the training
/// images are predicted too, each by a head that was not trained on it.
#[derive(Debug, Parser)]
#[command(name = "calibrate", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Where the model runs: auto, cpu or cuda:N [params: calibrate.device]
    #[arg(long, value_name = "DEVICE", value_parser = DeviceChoice::from_str)]
    pub device: Option<DeviceChoice>,

    /// Parts into which the training images are cut [params: calibrate.folds]
    #[arg(long, value_name = "N")]
    pub folds: Option<u32>,

    /// Options of every stage
    #[command(flatten)]
    pub common: CommonArguments,
}

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  calibrate                 as params.yaml says
  calibrate --folds 10      more training images for each fold's head
  dvc repro calibrate       the same through DVC, after the stages it depends on

Exit codes: 0 done, 1 failed, 2 bad usage or configuration.
Research use only. Not a medical device.";

impl Arguments {
    /// Both configuration files, changed by the flags.
    ///
    /// # Errors
    /// When a file is refused, or a flag is out of its range.
    pub fn settings(&self) -> Result<Settings> {
        let mut settings = self.common.settings()?;
        let calibrate = &mut settings.params.calibrate;
        calibrate.device = self.device.unwrap_or(calibrate.device);
        calibrate.folds = self.folds.unwrap_or(calibrate.folds);
        settings.params.check_as("the command line".as_ref())?;
        Ok(settings)
    }
}
