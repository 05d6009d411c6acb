//! `params.yaml`: one section per stage, every key tracked by DVC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::flip::Flip;

mod check;
mod train;
mod validation;

pub use train::{
    Augmentation, ClassWeights, DescentParams, DeviceChoice, EarlyStopping, FillMode,
    NormalisationChoice, Optimizer, Precision, Schedule, ScheduleKind, SolveParams, TrainParams,
};
pub use validation::{FindingPolicy, NoticePolicy, ValidationParams, ValidationPolicy};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Splitting, unreadable images, the sample set.
    pub ingest: IngestParams,
    /// Copies, leaks, shortcuts, and what to do about them.
    pub validation: ValidationParams,
    /// Base and head.
    pub prepare_base: PrepareBaseParams,
    /// Training.
    pub train: TrainParams,
    /// Choice of the checkpoint.
    pub select: SelectParams,
    /// Temperature, operating points, the limits for foreign images.
    pub calibrate: CalibrateParams,
    /// Scoring.
    pub evaluate: EvaluateParams,
}

/// Section `ingest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestParams {
    /// Decides which image goes to which split, and what the sample set looks like.
    pub seed: u64,
    /// Shares of the splits that the source does not have as folders.
    pub split: SplitRatios,
    /// What to do with a file that is named like an image and cannot be decoded.
    pub on_unreadable: OnUnreadable,
    /// The synthetic sample set.
    pub sample: SampleParams,
}

/// Shares of the whole, adding up to 1. A split that the source has as a folder keeps its images;
/// missing splits are taken out of the training images in these proportions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRatios {
    /// Training share.
    pub train: f64,
    /// Validation share.
    pub valid: f64,
    /// Test share.
    pub test: f64,
}

/// What to do with an image that cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnreadable {
    /// Stop with an error that names the file.
    Fail,
    /// Leave it out and list it in `report.json`.
    Skip,
}

/// The synthetic sample set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleParams {
    /// Images in all, over all classes and splits.
    pub images: usize,
}

/// Section `prepare_base`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareBaseParams {
    /// The base, by timm's name, such as `vgg16` or `resnet50`. Default `vgg16`.
    #[serde(default = "vgg16")]
    pub architecture: String,
    /// Height and width the model sees, in pixels; at least 32, and a multiple of 14 for DINOv2.
    pub image_size: u32,
    /// Where the base's weights come from.
    pub weights: WeightsSource,
    /// Seed of random weights and of the fresh head.
    pub seed: u64,
    /// Which layers of the base keep their weights.
    pub freeze: Freeze,
    /// What stands on top of the base.
    pub head: HeadParams,
    /// How often the last residual branch of the base is left out in training, in [0, 1); those
    /// before it less often, in proportion to their depth. Only where layers of the base learn, and
    /// the base has such branches: VGG and DenseNet have none. Default 0.
    #[serde(default)]
    pub stochastic_depth: f64,
}

fn vgg16() -> String {
    "vgg16".into()
}

/// Where the base's weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightsSource {
    /// Trained on ImageNet: the file of `config.yaml: pretrained.file` if it exists, else from the
    /// hub (`pretrained`).
    Imagenet,
    /// A file on this machine (`config.yaml: pretrained.file`), and never the hub.
    File,
    /// He initialisation from `prepare_base.seed`.
    Random,
}

/// Which layers of the base keep their weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FreezeText", into = "FreezeText")]
pub enum Freeze {
    /// The whole base; only the head learns.
    All,
    /// Everything up to and including the named layer, such as `block4_pool`.
    Until(String),
    /// Nothing; everything learns.
    None,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum FreezeText {
    Word(String),
    Until { until: String },
}

impl TryFrom<FreezeText> for Freeze {
    type Error = String;

    fn try_from(text: FreezeText) -> Result<Self, Self::Error> {
        match text {
            FreezeText::Until { until } => Ok(Self::Until(until)),
            FreezeText::Word(word) => word.parse(),
        }
    }
}

impl FromStr for Freeze {
    type Err = String;

    /// `all`, `none`, or `until:<layer>` as the command line writes it.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match (word, word.strip_prefix("until:")) {
            ("all", _) => Ok(Self::All),
            ("none", _) => Ok(Self::None),
            (_, Some(layer)) => Ok(Self::Until(layer.trim().to_owned())),
            _ => Err(format!("freeze is {word:?}; expected all, none, or {{until: <layer>}}")),
        }
    }
}

impl From<Freeze> for FreezeText {
    fn from(freeze: Freeze) -> Self {
        match freeze {
            Freeze::All => Self::Word("all".into()),
            Freeze::None => Self::Word("none".into()),
            Freeze::Until(until) => Self::Until { until },
        }
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::None => f.write_str("none"),
            Self::Until(layer) => write!(f, "until {layer}"),
        }
    }
}

/// What stands on top of the base.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadParams {
    /// Its input and its kind of answer.
    pub kind: HeadKind,
    /// Units of a hidden dense layer with ReLU between the input and the classes; 0 for none.
    pub hidden_units: u32,
    /// Share of the hidden units dropped in training, in [0, 1). Needs `hidden_units`.
    pub dropout: f64,
}

/// What a head reads from the base, and how it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// Multinomial logistic regression on the mean and the deviation of each channel at the cut
    /// points, solved to its optimum.
    Linear,
    /// A support vector machine with a Gaussian kernel on the same, solved to its optimum.
    Kernel,
    /// Dense layers on the last maps, flattened: `512 × (size/32)²` values for VGG16. Learns by epochs.
    Flatten,
    /// Dense layers on the mean of each channel of the last maps. Learns by epochs.
    GlobalPool,
    /// Dense layers on 4×4 averages and deviations of all five blocks. Models that have it can
    /// still be read. No new ones are made, since a kernel head was better on every data set.
    MultiScale,
}

impl HeadKind {
    /// Whether it is solved to its optimum, in one step; otherwise it learns by epochs.
    pub fn is_solved(self) -> bool {
        matches!(self, Self::Linear | Self::Kernel)
    }

    /// Its name in `params.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Kernel => "kernel",
            Self::Flatten => "flatten",
            Self::GlobalPool => "global_pool",
            Self::MultiScale => "multi_scale",
        }
    }
}

/// Section `select`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectParams {
    /// Regular expression over checkpoint names; its one capture group is the validation accuracy.
    pub checkpoint_pattern: String,
}

/// Section `calibrate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrateParams {
    /// The device that the model runs on.
    pub device: DeviceChoice,
    /// Decides which images make a fold.
    pub seed: u64,
    /// With fewer validation images than this, out-of-fold predictions on the training images are
    /// added.
    pub out_of_fold_below: u32,
    /// Number of parts that the training images are cut into. Each is predicted by a head that was
    /// trained on the others.
    pub folds: u32,
    /// The images are also predicted flipped, so that an ensemble may use such views of them.
    #[serde(default)]
    pub flips: Vec<Flip>,
}

/// Section `evaluate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateParams {
    /// The device that the model runs on.
    pub device: DeviceChoice,
    /// Decides the resamples and the control refits.
    pub seed: u64,
    /// Resamples of the test images for each interval.
    pub bootstrap_resamples: u32,
    /// Used where training images have copies in the test split: number of refits of the head
    /// without as many other images, beside the refit without the copies. 0: no refit at all.
    pub control_refits: u32,
    /// Whether the test images are also scored with their grey levels matched, with parts of them
    /// masked, and encoded alike.
    pub probes: bool,
    /// Number of test images on which the maps of where the model looked are tested. 0: they are
    /// not tested, and the report shows them without a result.
    pub explanations: u32,
}
