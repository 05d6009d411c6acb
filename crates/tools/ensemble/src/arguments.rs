//! The command line.

use std::path::PathBuf;

use clap::Parser;
use program::CommonArguments;

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  ensemble members/vgg16 members/resnet50 members/vit --output ensemble
      Weigh three models by images that none of them was trained on, and make one of them.
  ensemble members/vgg16 --output ensemble
      Only its views: the image as it is, and each flip that calibrate.flips of params.yaml names.
  ensemble members/* --output ensemble --equal
      All of them with the same weight; nothing is chosen.
  evaluate --model ensemble
      Then as with any model: evaluate, register, serve and predict take --model.

A member is a model folder of a study on the same images, after calibrate:
  dvc exp run -S prepare_base.architecture=resnet50 && cp -r model members/resnet50

The test set is not looked at. What a choice among so many is worth is measured on folds that it
did not see, and told beside the best single model; both are in ensemble.json.

Exit codes: 0 done, 1 failed (also where no combination is better than one model alone),
2 bad usage or configuration.

Research use only. Not a medical device.";

/// Make one model of several
///
/// The new model answers with the weighted mean of their calibrated probabilities. Weights are found
/// by greedy selection (Caruana et al. 2004): first the best model, then whichever lowers the log
/// loss most, with replacement, until none does. It is an ordinary model folder, calibrated as a
/// whole.
#[derive(Debug, Clone, Parser)]
#[command(name = "ensemble", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Configuration files and verbosity.
    #[command(flatten)]
    pub common: CommonArguments,

    /// Model folders, each after calibrate
    #[arg(required = true, value_name = "MODEL")]
    pub models: Vec<PathBuf>,

    /// Write the new model here
    #[arg(short, long, value_name = "FOLDER")]
    pub output: PathBuf,

    /// Give all models and views the same weight
    #[arg(long)]
    pub equal: bool,
}
