//! The command line, and its effect on the two configuration files.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use config::{ConfigError, Freeze, HeadKind, WeightsSource};
use program::{CommonArguments, Settings};

const EXAMPLES: &str = "\
Examples (in a source tree, scripts/stage before the name):
  prepare-base
      Make the base that params.yaml describes under prepare_base.
  prepare-base --weights imagenet --head global-pool --freeze until:block4_pool
      Weights trained on ImageNet; the fifth block learns along with the head.
  prepare-base --weights file --weights-file weights/vgg16.safetensors
      Weights of this machine: safetensors with timm's or torchvision's names, or Keras' HDF5.
  prepare-base --architecture resnet50 --weights imagenet
      Another base: vgg16, vgg19, resnet18, resnet50, densenet121, efficientnet_b0,
      tf_efficientnet_lite0, convnext_tiny, vit_small_patch14_dinov2 or
      vit_small_patch14_reg4_dinov2.

ImageNet weights are taken from pretrained.file where it exists. Otherwise they come from the
Hugging Face hub, for VGG16 59 MB once, kept under paths.downloads. HF_ENDPOINT names a mirror,
HF_TOKEN a token it asks for.

Exit codes: 0 done, 1 failed, 2 bad usage or configuration.";

/// Prepare the model: a base such as VGG16 with its top cut off, and a fresh head
///
/// Writes base_model.safetensors (the base), updated_base_model.safetensors (base and head) and
/// architecture.json, and prints a table of layers, output shapes and parameters. Tensor names are
/// timm's and torchvision's, so that Python loads them.
#[derive(Debug, Clone, Parser)]
#[command(name = "prepare-base", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The base, by timm's name [params: prepare_base.architecture]
    #[arg(long, value_name = "NAME")]
    pub architecture: Option<String>,

    /// Where the base's weights come from [params: prepare_base.weights]
    #[arg(long, value_name = "SOURCE")]
    pub weights: Option<WeightsChoice>,

    /// Weights on this machine, for --weights file or imagenet [config: pretrained.file]
    #[arg(long, value_name = "FILE")]
    pub weights_file: Option<PathBuf>,

    /// Height and width of the images, in pixels, 32 to 1024 [params: prepare_base.image_size]
    #[arg(long, value_name = "PIXELS")]
    pub image_size: Option<u32>,

    /// Layers that keep their weights: all, none, or until:LAYER, such as until:block4_pool
    /// [params: prepare_base.freeze]
    #[arg(long, value_name = "LAYERS")]
    pub freeze: Option<Freeze>,

    /// How the feature maps become one vector [params: prepare_base.head.kind]
    #[arg(long, value_name = "KIND")]
    pub head: Option<HeadChoice>,

    /// Units of a hidden layer in the head, 0 for none [params: prepare_base.head.hidden_units]
    #[arg(long, value_name = "COUNT")]
    pub hidden_units: Option<u32>,

    /// Share of the hidden units dropped in training [params: prepare_base.head.dropout]
    #[arg(long, value_name = "SHARE")]
    pub dropout: Option<f64>,

    /// Seed of random weights and of the fresh head [params: prepare_base.seed]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    /// Write here [config: paths.base_model]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// Configuration files and verbosity. Last, because its heading holds for what follows.
    #[command(flatten)]
    pub common: CommonArguments,
}

/// [`WeightsSource`] as the command line writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightsChoice {
    /// Trained on ImageNet: the weights file, or else from the Hugging Face hub
    Imagenet,
    /// The weights file, and never the hub
    File,
    /// Drawn from the seed
    Random,
}

impl From<WeightsChoice> for WeightsSource {
    fn from(choice: WeightsChoice) -> Self {
        match choice {
            WeightsChoice::Imagenet => Self::Imagenet,
            WeightsChoice::File => Self::File,
            WeightsChoice::Random => Self::Random,
        }
    }
}

/// [`HeadKind`] as the command line writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HeadChoice {
    /// Logistic regression on mean and deviation of each channel at the cut points, solved
    Linear,
    /// A kernel machine on the same features, solved
    Kernel,
    /// The last maps as they are, learnt by epochs
    Flatten,
    /// The mean of each channel of the last maps, learnt by epochs
    GlobalPool,
}

impl From<HeadChoice> for HeadKind {
    fn from(choice: HeadChoice) -> Self {
        match choice {
            HeadChoice::Linear => Self::Linear,
            HeadChoice::Kernel => Self::Kernel,
            HeadChoice::Flatten => Self::Flatten,
            HeadChoice::GlobalPool => Self::GlobalPool,
        }
    }
}

impl Arguments {
    /// Both configuration files, changed by the flags and checked.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = self.common.settings()?;
        let params = &mut settings.params.prepare_base;
        if let Some(architecture) = &self.architecture {
            params.architecture.clone_from(architecture);
        }
        params.weights = self.weights.map_or(params.weights, Into::into);
        params.image_size = self.image_size.unwrap_or(params.image_size);
        params.seed = self.seed.unwrap_or(params.seed);
        params.head.kind = self.head.map_or(params.head.kind, Into::into);
        params.head.hidden_units = self.hidden_units.unwrap_or(params.head.hidden_units);
        params.head.dropout = self.dropout.unwrap_or(params.head.dropout);
        if let Some(freeze) = &self.freeze {
            params.freeze.clone_from(freeze);
        }
        if let Some(file) = &self.weights_file {
            settings.config.pretrained.file = Some(file.clone());
        }
        if let Some(output) = &self.output {
            settings.config.paths.base_model.clone_from(output);
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

    #[test]
    fn freeze_is_written_as_one_word() {
        let parse = |freeze| Arguments::try_parse_from(["prepare-base", "--freeze", freeze]);
        let layer = parse("until:block4_pool").unwrap().freeze;
        assert_eq!(layer, Some(Freeze::Until("block4_pool".into())));
        assert!(parse("block4_pool").is_err());
    }
}
