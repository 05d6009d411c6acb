use anyhow::Result;
use clap::Parser;
use program::{CommonArguments, Settings};

/// Look for copies, leaks, shortcuts and odd pictures before anything is trained
///
/// Reads the split folders and the manifest that `ingest` wrote, and leaves in
/// artifacts/data_validation the manifest that later stages read (with groups and exclusions), a
/// report for people (report.html) and one for programs (report.json). No file of another stage
/// is changed, and no image is deleted.
#[derive(Debug, Parser)]
#[command(name = "validate", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Decides a new split, and the random parts of the baselines [params: validation.seed]
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,

    /// Split the whole set anew, no group in two splits [params: validation.resplit]
    #[arg(long)]
    pub resplit: bool,

    /// Options of every stage
    #[command(flatten)]
    pub common: CommonArguments,
}

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  validate                                           as params.yaml says
  validate --resplit                                 what would a clean split look like?
  dvc exp run -S validation.policy.leaks=drop        train without the leaked images

Exit codes: 0 done, 1 failed or a finding whose policy is fail, 2 bad usage or configuration.
Research use only. Not a medical device.";

impl Arguments {
    /// Both configuration files, changed by the flags.
    ///
    /// # Errors
    /// When a file is refused, or a flag is out of its range.
    pub fn settings(&self) -> Result<Settings> {
        let mut settings = self.common.settings()?;
        let validation = &mut settings.params.validation;
        validation.seed = self.seed.unwrap_or(validation.seed);
        validation.resplit |= self.resplit;
        settings.params.check_as("the command line".as_ref())?;
        Ok(settings)
    }
}
