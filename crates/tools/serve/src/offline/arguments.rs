//! The command line of `predict`.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use config::{Config, ConfigError, DeviceChoice};
use imaging::Window;
use program::{CommonArguments, ShardChoice};
use serde::{Deserialize, Serialize};
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
  predict --shard 0/4 ~/scans --output parts/0.csv
  predict merge parts/*.csv --output predictions.csv
      A quarter of the files; and, when there are four parts, what one process writes.

Exit codes:
  0  some files were predicted, or all (those refused as foreign have no class: see accepted); with
     --shard, the part is there
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
/// and control characters as \u{..}; JSON lines hold the names as they are.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "predict",
    version,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub struct Arguments {
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

    /// Predict a share of the files: I from 0 to N-1, by the digest of their content, so that every
    /// process finds its own. Beside the part, FILE.shard.json says what it is; a part that is there
    /// already is not computed again. env takes both numbers from a Slurm array, and env/N takes I
    /// from a Slurm array or a Kubernetes Indexed Job
    #[arg(long, value_name = "I/N", requires = "output")]
    pub shard: Option<ShardChoice>,

    /// Configuration files and verbosity. Last, since what follows stands under its heading.
    #[command(flatten)]
    pub common: CommonArguments,

    /// What to do instead of predicting.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of predicting.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Put the parts of all shards together
    ///
    /// The output has the rows of one process without --shard, in its order, byte for byte. Every
    /// part must be there once, unchanged, and of the same model, files and settings; a shard that is
    /// missing is named with the command that runs it again. Neither the model nor the files are
    /// needed.
    Merge(MergeArguments),
}

const MERGE_EXAMPLE: &str = "\
Example:
  predict merge parts/*.csv --output predictions.csv

Exit codes: those of predict for all the files.

Research use only. Not a medical device.";

/// What to merge, and where to.
#[derive(Debug, Clone, Args)]
#[command(after_help = MERGE_EXAMPLE)]
pub struct MergeArguments {
    /// What predict --shard wrote, in any order
    #[arg(required = true, value_name = "PART")]
    pub parts: Vec<PathBuf>,

    /// Write here; the file appears when it is whole
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Say more on standard error (-vv for everything)
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// Say only warnings and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A table with a header
    Csv,
    /// An object a line
    Jsonl,
}

impl Arguments {
    /// How much to say on standard error: `verbose` and `quiet`.
    pub fn verbosity(&self) -> (u8, bool) {
        match &self.command {
            Some(Command::Merge(merge)) => (merge.verbose, merge.quiet),
            None => (self.common.verbose, self.common.quiet),
        }
    }

    /// The words that give these arguments, without `--shard`, `--output` and how much is said.
    pub(crate) fn words(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let options = [
            ("--config", Some(path(&self.common.config)).filter(|path| path != "config.yaml")),
            ("--format", (self.format != Format::Csv).then(|| "jsonl".to_owned())),
            ("--explain", self.explain.as_deref().map(path)),
            ("--model", self.model.as_deref().map(path)),
            ("--device", self.device.map(String::from)),
            ("--window", self.window.map(|window| window.to_string())),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        let mut words: Vec<String> = given.flatten().collect();
        let paths: Vec<String> = self.paths.iter().map(|it| path(it)).collect();
        if paths.iter().any(|path| path.starts_with('-')) {
            words.push("--".to_owned());
        }
        words.extend(paths);
        words
    }

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

    #[test]
    fn a_shard_needs_an_output_and_a_merge_no_scans() {
        let refused = Arguments::try_parse_from(["predict", "--shard", "0/4", "a.dcm"]);
        assert!(refused.unwrap_err().to_string().contains("--output"));
        let merge = ["predict", "merge", "-q", "0.csv", "1.csv", "--output", "all.csv"];
        let arguments = Arguments::parse_from(merge);
        assert!(matches!(arguments.command, Some(Command::Merge(_))));
        assert_eq!(arguments.verbosity(), (0, true));
        assert!(Arguments::try_parse_from(["predict", "merge", "--output", "all.csv"]).is_err());
    }

    #[test]
    fn the_words_of_a_command_line_give_the_same_again() {
        for line in [
            &["scans"][..],
            &["--format", "jsonl", "--device", "cpu", "--window", "-600,1500", "--", "-1.png"],
            &["--config", "b.yaml", "--explain", "heat", "--model", "m", "a b", "scans/**/*.png"],
        ] {
            let of = |words: &[String]| {
                let words = words.iter().map(String::as_str);
                Arguments::parse_from(["predict"].into_iter().chain(words))
            };
            let words = of(&line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).words();
            assert_eq!(words, line);
            assert_eq!(of(&words).words(), words);
        }
    }
}
