//! The command line, and its effect on the two configuration files.

use std::path::{Path, PathBuf};

use artifact::Digest;
use clap::{Parser, ValueEnum};
use config::{ConfigError, OnUnreadable, SplitRatios};
use program::{CommonArguments, Settings};

use crate::source;

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  ingest
      Ingest what config.yaml names under data.source.
  ingest --source scans.zip --on-unreadable skip
      Ingest a zip file; list images that cannot be decoded instead of stopping.
  ingest --source 'https://drive.google.com/file/d/<id>/view' --split 0.8,0.1,0.1
      Ingest a shared Drive file; splits that it lacks get these shares.
  ingest --source kaggle:mohamedhanyyy/chest-ctscan-images
      Ingest a Kaggle data set. Credentials: KAGGLE_API_TOKEN, KAGGLE_JSON,
      KAGGLE_USERNAME with KAGGLE_KEY (in the environment or .env), or
      ~/.kaggle/kaggle.json.

  ingest --check
      Check every key of both files, including those that DVC does not compare.

config.yaml maps folders to classes under data.classes.

Exit codes: 0 done, 1 failed, 2 bad usage or configuration.";

/// Ingest labelled scans: split folders, a manifest and a report
///
/// Takes a folder or zip file of labelled images, from this machine or a server, decodes every
/// image once, and writes train/, valid/ and test/ with one folder per class, manifest.csv with a
/// digest for every image, and report.json. Image files are kept byte for byte. Corrections, where
/// config.yaml names their folder under data.corrections, change the training images alone.
#[derive(Debug, Clone, Parser)]
#[command(name = "ingest", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Take the images from here: a folder, a zip file, an http(s) address, a Google Drive or
    /// Kaggle link, kaggle:OWNER/DATASET, or sample [config: data.source]
    #[arg(long, value_name = "PATH|URL")]
    pub source: Option<String>,

    /// Digest that the zip file of --source must have
    #[arg(long, value_name = "HEX", requires = "source")]
    pub sha256: Option<Digest>,

    /// Write here [config: paths.data_ingestion]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// What to do with an image that cannot be decoded [params: ingest.on_unreadable]
    #[arg(long, value_name = "ACTION")]
    pub on_unreadable: Option<UnreadableAction>,

    /// Seed of the splits made here and of the sample set [params: ingest.seed]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    /// Shares of the splits that the source lacks, adding up to 1 [params: ingest.split]
    #[arg(long, value_name = "TRAIN,VALID,TEST", value_parser = parse_ratios)]
    pub split: Option<SplitRatios>,

    /// Images of the sample set [params: ingest.sample.images]
    #[arg(long, value_name = "COUNT")]
    pub sample_images: Option<usize>,

    /// Only check config.yaml and params.yaml; print nothing if both are valid
    #[arg(long)]
    pub check: bool,

    /// Configuration files and verbosity.
    #[command(flatten)]
    pub common: CommonArguments,
}

/// [`OnUnreadable`] as the command line writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UnreadableAction {
    /// Stop with an error that names the file
    Fail,
    /// Leave it out and list it in report.json
    Skip,
}

impl From<UnreadableAction> for OnUnreadable {
    fn from(action: UnreadableAction) -> Self {
        match action {
            UnreadableAction::Fail => Self::Fail,
            UnreadableAction::Skip => Self::Skip,
        }
    }
}

fn parse_ratios(text: &str) -> Result<SplitRatios, String> {
    let shares: Vec<f64> = text
        .split(',')
        .map(|share| share.trim().parse().map_err(|_| format!("{share:?} is not a number")))
        .collect::<Result<_, _>>()?;
    let [train, valid, test] = shares[..] else {
        return Err("three shares are needed: train,valid,test, such as 0.7,0.15,0.15".into());
    };
    Ok(SplitRatios { train, valid, test })
}

impl Arguments {
    /// Both configuration files, changed by the flags and checked.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = self.common.settings()?;
        let ingest = &mut settings.params.ingest;
        if let Some(action) = self.on_unreadable {
            ingest.on_unreadable = action.into();
        }
        ingest.seed = self.seed.unwrap_or(ingest.seed);
        ingest.split = self.split.unwrap_or(ingest.split);
        ingest.sample.images = self.sample_images.unwrap_or(ingest.sample.images);
        if let Some(text) = &self.source {
            settings.config.data.source = source::from_text(text, self.sha256);
        }
        if let Some(output) = &self.output {
            settings.config.paths.data_ingestion.clone_from(output);
        }
        let origin = Path::new("the command line");
        settings.config.check_as(origin)?;
        settings.params.check_as(origin)?;
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

    #[test]
    fn three_shares_are_read_and_two_refused() {
        let ratios = parse_ratios("0.8, 0.1,0.1").unwrap();
        assert_eq!(ratios, SplitRatios { train: 0.8, valid: 0.1, test: 0.1 });
        assert!(parse_ratios("0.8,0.2").unwrap_err().contains("three shares"));
        assert!(parse_ratios("0.8,x,0.1").unwrap_err().contains("not a number"));
    }
}
