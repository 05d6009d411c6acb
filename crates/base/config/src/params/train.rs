use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Section `train`.
///
/// A head is either solved or learns by epochs
/// ([`HeadKind::is_solved`](crate::HeadKind::is_solved)), and each way has its own keys. The keys
/// of the other way must be null, so that every key has an effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainParams {
    /// Seed of the folds of the cross-validation, the order of the images, augmentation and
    /// dropout.
    pub seed: u64,
    /// What cross-validation chooses from, for heads that are solved.
    pub solve: Option<SolveParams>,
    /// How to go down the gradient, for heads that learn by epochs.
    pub descent: Option<DescentParams>,
    /// Weight of each class in the loss.
    pub class_weights: ClassWeights,
    /// Number format of the base's forward pass.
    pub precision: Precision,
    /// The device that the model runs on.
    pub device: DeviceChoice,
    /// The input of the base: how pixels become numbers.
    pub normalisation: NormalisationChoice,
    /// The control: shuffles the training labels, so that there is nothing true to learn. The score
    /// of such a model is what a score is worth without learning.
    pub permute_labels: bool,
}

/// The choices for a solved head. Cross-validation on the training split alone decides between
/// them; its folds keep groups (patients, scans, copies) whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveParams {
    /// Number of parts that the training images are cut into.
    pub folds: u32,
    /// The cost of an error, as scikit-learn's `C`: the higher, the closer the fit.
    pub strengths: Vec<f64>,
    /// How far a training image's influence reaches, for a kernel head: its gamma is
    /// 1 / (width × features). 1 is scikit-learn's `gamma="scale"`. Empty for a linear head.
    pub widths: Vec<f64>,
    /// Sets of cut points, such as `[block4_pool, block5_pool]`, whose features are used.
    pub cuts: Vec<Vec<String>>,
}

/// How to descend the gradient. A missing key has its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DescentParams {
    /// Passes over the training set. Default 20.
    pub epochs: u32,
    /// Images per optimizer step. Default 32.
    pub batch_size: u32,
    /// The rule that turns gradients into steps. Default Adam.
    pub optimizer: Optimizer,
    /// Step size at the start. Default 0.0001.
    pub learning_rate: f64,
    /// Momentum of SGD and RMSprop; Adam and AdamW do not use it. Default 0.9.
    pub momentum: f64,
    /// L2 penalty (decoupled for AdamW), as PyTorch's `weight_decay`. Default 0.
    pub weight_decay: f64,
    /// How the learning rate changes over the epochs. Default constant.
    pub schedule: Schedule,
    /// Epochs in which the learning rate rises to its full size before the schedule starts, so that
    /// the first steps do not spoil pretrained weights. Default 0.
    pub warm_up_epochs: u32,
    /// Discriminative rates: each block of the base that learns has the rate of the block above it
    /// times this, in (0, 1]; the head has the full rate (Howard & Ruder 2018). Default 1.
    pub rate_of_block_below: f64,
    /// Weight averaging: a running average of the weights is scored and kept, and each step keeps
    /// this share of it, in [0, 1). Default 0: the weights themselves.
    pub average: f64,
    /// Number of parts of a grouped cross-validation of the whole training, on the training split.
    /// It finds after how many epochs to stop and, where layers below a solved head learn, whether
    /// that beats the solved head. It takes as long as that many trainings. Default 0: none.
    pub folds: u32,
    /// Share of the target spread evenly over all classes, in [0, 1). Default 0.
    pub label_smoothing: f64,
    /// When to stop before the last epoch. Default never.
    pub early_stopping: EarlyStopping,
    /// Random changes to training images. Default none.
    pub augmentation: Augmentation,
}

impl Default for DescentParams {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch_size: 32,
            optimizer: Optimizer::Adam,
            learning_rate: 1e-4,
            momentum: 0.9,
            weight_decay: 0.0,
            schedule: Schedule { kind: ScheduleKind::Constant, step_epochs: 10, gamma: 0.1 },
            warm_up_epochs: 0,
            rate_of_block_below: 1.0,
            average: 0.0,
            folds: 0,
            label_smoothing: 0.0,
            early_stopping: EarlyStopping { patience: 0, min_delta: 0.0 },
            augmentation: Augmentation::NONE,
        }
    }
}

impl TrainParams {
    /// The random changes to training images: none for a head that is solved.
    pub fn augmentation(&self) -> Augmentation {
        self.descent.as_ref().map_or(Augmentation::NONE, |descent| descent.augmentation)
    }
}

/// The rule that turns gradients into steps; the formulas are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Kingma & Ba 2015; betas 0.9 and 0.999, epsilon 1e-8.
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    AdamW,
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Hinton's RMSprop; alpha 0.99, epsilon 1e-8.
    RmsProp,
}

/// How the learning rate changes over the epochs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The shape.
    pub kind: ScheduleKind,
    /// `step`: epochs between two changes.
    pub step_epochs: u32,
    /// `step`: factor of each change, in (0, 1].
    pub gamma: f64,
}

/// The shape of a learning-rate schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Always the same.
    Constant,
    /// From the full rate to zero along half a cosine (Loshchilov & Hutter 2017).
    Cosine,
    /// Times `gamma` every `step_epochs` epochs.
    Step,
}

/// Weight of each class in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// All alike.
    None,
    /// `images / (classes × images of the class)`, as scikit-learn's `balanced`.
    Balanced,
}

/// When to stop before the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a lower validation loss before training stops; 0 never stops it.
    pub patience: u32,
    /// How much lower the loss must be to count.
    pub min_delta: f64,
}

/// Number format of the base's forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Bf16 on a GPU; on a processor the format that was measured to be faster on its kind.
    Auto,
    /// 32-bit floating point.
    Fp32,
    /// bfloat16: half the memory, about three digits.
    Bf16,
}

/// The device that a model runs on: `auto` (the first GPU, else the CPU), `cpu`, or `cuda:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first CUDA device if there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// One CUDA device; an error if it is missing.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(Ok(index))) => Ok(Self::Cuda(index)),
            _ => Err(format!("device is {text:?}; expected auto, cpu, or cuda:N")),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl From<DeviceChoice> for String {
    fn from(device: DeviceChoice) -> Self {
        device.to_string()
    }
}

/// How pixels become numbers. Pretrained weights need the normalisation they were trained with: any
/// other is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormalisationChoice {
    /// What the base's weights need; `imagenet` for random weights, which need none in particular.
    Auto,
    /// In [0, 1].
    Unit,
    /// In [0, 1], then torchvision's ImageNet mean and standard deviation per channel.
    Imagenet,
    /// From 0 to 255, less Caffe's ImageNet mean per channel, as Keras' VGG16 needs it.
    Caffe,
}

/// Random changes to training images, with the meaning of Keras' `ImageDataGenerator`. All zeros
/// and `false` switch augmentation off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Turns by up to this many degrees either way.
    pub rotation_degrees: f64,
    /// Shifts by up to this share of the width, in [0, 1].
    pub width_shift: f64,
    /// Shifts by up to this share of the height, in [0, 1].
    pub height_shift: f64,
    /// Shears by up to this many degrees either way.
    pub shear_degrees: f64,
    /// Scales by a factor in [1 − zoom, 1 + zoom], for each axis separately.
    pub zoom: f64,
    /// Mirrors half of the images. Swaps left and right of a chest: off by default.
    pub horizontal_flip: bool,
    /// Fills the parts of the changed image that have no pixels.
    pub fill_mode: FillMode,
    /// The value for `fill_mode: constant`, in [0, 1].
    pub fill_value: f64,
    /// Number of different views of each image, drawn once and used in turn over the epochs, so
    /// that a frozen base computes each view once. 0 draws a fresh view every epoch.
    pub views: u32,
}

impl Augmentation {
    /// Leaves the image as it is.
    pub const NONE: Self = Self {
        rotation_degrees: 0.0,
        width_shift: 0.0,
        height_shift: 0.0,
        shear_degrees: 0.0,
        zoom: 0.0,
        horizontal_flip: false,
        fill_mode: FillMode::Nearest,
        fill_value: 0.0,
        views: 0,
    };

    /// Whether any change is switched on.
    pub fn is_on(&self) -> bool {
        self.horizontal_flip
            || [
                self.rotation_degrees,
                self.width_shift,
                self.height_shift,
                self.shear_degrees,
                self.zoom,
            ]
            .iter()
            .any(|amount| *amount != 0.0)
    }

    /// Whether the same views come again in later epochs, so that their features are worth keeping.
    /// They do not if every epoch draws fresh views.
    pub fn draws_the_same_again(&self) -> bool {
        !self.is_on() || self.views > 0
    }
}

/// How to fill the parts of a changed image that have no pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FillMode {
    /// The nearest pixel of the edge.
    Nearest,
    /// `fill_value`.
    Constant,
    /// The image mirrored at its edge.
    Reflect,
}
