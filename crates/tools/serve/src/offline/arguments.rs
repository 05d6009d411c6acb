//! The command line of `predict`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use config::{Config, ConfigError, DeviceChoice};
use imaging::Window;
use program::CommonArguments;
use services::Services;

use crate::arguments::Settings;

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  predict ~/scans --output predictions.csv
      Every file below the folder, a row for each.
  predict --format jsonl '~/scans/**/*.dcm' | jq .class
      The files that match a pattern, as JSON lines.
  predict --explain heat ~/scans
      Also heat/<file>.heat.png: the heat alone, to be laid over the image.
  predict --window 40,400 slice.dcm
      A DICOM file through another window than the lung's.

Exit codes:
  0  some files were predicted, or all (those refused as foreign have no class: see accepted)
  3  some files cannot be used as images; the column error gives the reason
  4  no file was predicted: all were refused as foreign, or are not images
  1  failed
  2  bad usage or configuration

Research use only. Not a medical device.";

/// Predict images on this machine, to CSV or JSON lines
///
/// Uses the model's own preprocessing, calibration and checks, as the server does. An image that is
/// not of the kind that the model was trained on has no class, unless serve.foreign_images is flag.
///
/// In a table, a path that begins as a formula does is written with ./ before it, other text with ',
/// and control characters as \\u{..}; JSON lines hold the names as they are.
#[derive(Debug, Clone, Parser)]
#[command(name = "predict", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Configuration files and verbosity.
    #[command(flatten)]
    pub common: CommonArguments,

    /// Images, folders of images, or quoted patterns such as 'scans/**/*.png'
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Write here instead of to standard output; the file appears when it is whole
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    pub format: Format,

    /// Write where the model looked into this folder: FILE.heat.png for each image that got a class,
    /// transparent and of its size. Where two files have one name, they keep their folders
    #[arg(long, value_name = "FOLDER")]
    pub explain: Option<PathBuf>,

    /// Predict with this model [config: paths.model]
    #[arg(long, value_name = "FOLDER")]
    pub model: Option<PathBuf>,

    /// Where the model runs: auto, cpu or cuda:N [config: serve.device]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,

    /// Centre and width in Hounsfield units that DICOM images are seen through
    #[arg(long, value_name = "CENTRE,WIDTH", allow_hyphen_values = true)]
    pub window: Option<Window>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table with a header
    Csv,
    /// An object a line
    Jsonl,
}

impl Arguments {
    /// config.yaml, changed by the flags.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let path = &self.common.config;
        let (mut config, mut services) = (Config::load(path)?, Services::load(path)?);
        if let Some(model) = &self.model {
            config.paths.model.clone_from(model);
        }
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

    #[test]
    fn a_window_may_begin_with_a_minus() {
        let arguments = Arguments::parse_from(["predict", "--window", "-600,1500", "a.dcm"]);
        assert_eq!(arguments.window, Some(Window::LUNG));
    }
}
