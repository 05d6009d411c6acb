use std::str::FromStr;

use anyhow::Result;
use clap::Parser;
use config::{DescentParams, DeviceChoice, Precision};
use program::{CommonArguments, Settings, ShardChoice};

/// Train the classifier, resumable at any moment
///
/// Reads the split folders that `ingest` wrote and the base that `prepare-base` wrote, and leaves
/// artifacts/model_training/Checkpoint_RUN. A head that is solved (linear, kernel) chooses its
/// settings by cross-validation on the training split and leaves one checkpoint; any other leaves
/// one for each epoch. A run that was stopped, even by kill -9, resumes and ends with the
/// same bytes.
#[derive(Debug, Parser)]
#[command(name = "train", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Passes over the training set [params: train.descent.epochs]
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,

    /// Images per optimizer step [params: train.descent.batch_size]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<u32>,

    /// Step size at the start [params: train.descent.learning_rate]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,

    /// Decides folds, order, augmentation and dropout [params: train.seed]
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,

    /// Where the model runs: auto, cpu or cuda:N [params: train.device]
    #[arg(long, value_name = "DEVICE", value_parser = DeviceChoice::from_str)]
    pub device: Option<DeviceChoice>,

    /// Number format of the base: auto, fp32 or bf16 [params: train.precision]
    #[arg(long, value_name = "FORMAT", value_parser = parse_precision)]
    pub precision: Option<Precision>,

    /// The control: shuffle the training labels, so that nothing true can be learnt
    /// [params: train.permute_labels]
    #[arg(long)]
    pub permute_labels: bool,

    /// Train nothing: print what this machine would train with, as JSON
    #[arg(long)]
    pub machine: bool,

    /// Train nothing: score solved heads by cross-validation, a JSON request a line on standard
    /// input, an answer a line on standard output. For `hounsfield search`
    #[arg(long, conflicts_with = "machine")]
    pub trials: bool,

    /// Train nothing: compute what the frozen layers make of the images, and keep it in
    /// paths.features, where every later training finds it
    #[arg(long, conflicts_with_all = ["machine", "trials"])]
    pub features: bool,

    /// With --features: only one share of the images, as I/N from 0/N to N-1/N, so that several
    /// machines divide the work; env or env/N takes it from a Slurm array or a Kubernetes Indexed Job
    #[arg(long, value_name = "I/N", requires = "features")]
    pub shard: Option<ShardChoice>,

    /// Options of every stage
    #[command(flatten)]
    pub common: CommonArguments,
}

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  train                            as params.yaml says
  train --seed 18                  other folds; params.yaml stays as it is
  train --epochs 3                 a quick try of a head that learns by epochs
  train --permute-labels           the control: the score without learning
  dvc exp run -S train.seed=18     the same through DVC, kept as an experiment
  train --features --shard 0/4     the features of a quarter of the images; nothing is trained

Exit codes: 0 done, 1 failed, 2 bad usage or configuration.
Research use only. Not a medical device.";

fn parse_precision(text: &str) -> Result<Precision, String> {
    match text {
        "auto" => Ok(Precision::Auto),
        "fp32" => Ok(Precision::Fp32),
        "bf16" => Ok(Precision::Bf16),
        _ => Err("expected auto, fp32 or bf16".into()),
    }
}

impl Arguments {
    /// Both configuration files, changed by the flags.
    ///
    /// # Errors
    /// When a file is refused, or a flag is out of its range.
    pub fn settings(&self) -> Result<Settings> {
        let mut settings = self.common.settings()?;
        let train = &mut settings.params.train;
        if self.epochs.is_some() || self.batch_size.is_some() || self.learning_rate.is_some() {
            // A head without epochs refuses the section with a message.
            let descent = train.descent.get_or_insert_with(DescentParams::default);
            descent.epochs = self.epochs.unwrap_or(descent.epochs);
            descent.batch_size = self.batch_size.unwrap_or(descent.batch_size);
            descent.learning_rate = self.learning_rate.unwrap_or(descent.learning_rate);
        }
        train.seed = self.seed.unwrap_or(train.seed);
        train.device = self.device.unwrap_or(train.device);
        train.precision = self.precision.unwrap_or(train.precision);
        train.permute_labels |= self.permute_labels;
        let flags = "the command line".as_ref();
        settings.params.check_as(flags)?;
        settings.params.check_training_as(flags)?;
        Ok(settings)
    }
}
