//! EfficientNet (Tan & Le 2019) and EfficientNet-Lite (2020): inverted residuals of depthwise
//! convolutions.

use imaging::{ChannelStatistics, Normalisation};
use tch::Tensor;

use super::convolution::{Activation, Convolution, Padding, mean_of_places};
use super::operation::{Operation, Weights};
use super::{Base, INPUT_CHANNELS, Layer, Published};
use crate::tensor_spec::TensorSpec;
use crate::{BaseInput, Result};

/// A stage: its blocks, their kernel, the stride of the first one, by how much they widen, channels.
struct Stage {
    blocks: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    outputs: usize,
}

const fn stage(
    blocks: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    outputs: usize,
) -> Stage {
    Stage { blocks, kernel, stride, expansion, outputs }
}

/// Table 1 of the paper.
const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(2, 3, 2, 6, 24),
    stage(2, 5, 2, 6, 40),
    stage(3, 3, 2, 6, 80),
    stage(3, 5, 1, 6, 112),
    stage(4, 5, 2, 6, 192),
    stage(1, 3, 1, 6, 320),
];

/// The stages after which the maps are read: the last of each size.
const CUTS: [usize; 4] = [1, 2, 4, 6];

const STEM: usize = 32;
const END: usize = 1280;

/// In what the variants differ.
#[derive(Debug, Clone, Copy)]
struct Variant {
    activation: Activation,
    padding: Padding,
    epsilon: f64,
    /// Whether channels are weighted by what the whole map shows.
    has_squeeze: bool,
}

pub(super) fn efficientnet_b0() -> Base {
    let variant = Variant {
        activation: Activation::Silu,
        padding: Padding::Half,
        epsilon: 1e-5,
        has_squeeze: true,
    };
    let published = Published::usual("timm/efficientnet_b0.ra_in1k", "Apache-2.0");
    Base::of_maps("efficientnet_b0", "EfficientNet-B0", published, layers(variant))
}

pub(super) fn tf_efficientnet_lite0() -> Base {
    let variant = Variant {
        activation: Activation::Relu6,
        padding: Padding::Same,
        epsilon: 1e-3,
        has_squeeze: false,
    };
    let halves = ChannelStatistics { mean: [0.5; 3], deviation: [0.5; 3] };
    let usual = Published::usual("timm/tf_efficientnet_lite0.in1k", "Apache-2.0");
    let input = BaseInput { normalisation: Normalisation::Channels(halves), ..usual.input };
    let published = Published { input, ..usual };
    Base::of_maps("tf_efficientnet_lite0", "EfficientNet-Lite0", published, layers(variant))
}

fn layers(variant: Variant) -> Vec<Layer> {
    let stem = Convolution::new("conv_stem", (INPUT_CHANNELS, STEM), 3).stride(2);
    let mut layers = vec![Layer::new("conv_stem", 0, variant.ended(stem, "bn1"))];
    let all: usize = STAGES.iter().map(|stage| stage.blocks).sum();
    let (mut inputs, mut place) = (STEM, 0);
    for (number, stage) in STAGES.iter().enumerate() {
        for block in 0..stage.blocks {
            let name = format!("blocks.{number}.{block}");
            let stride = if block == 0 { stage.stride } else { 1 };
            let share = place as f64 / all as f64;
            let inverted = Inverted::new(&name, variant, stage, inputs, stride, share);
            layers.push(Layer::new(name, number + 1, inverted));
            (inputs, place) = (stage.outputs, place + 1);
        }
        if CUTS.contains(&number)
            && let Some(end) = layers.pop()
        {
            layers.push(end.cut(format!("blocks.{number}")));
        }
    }
    let end = variant.ended(Convolution::new("conv_head", (inputs, END), 1), "bn2");
    layers.push(Layer::new("conv_head", STAGES.len(), end).cut("bn2"));
    layers
}

impl Variant {
    /// With the variant's border and normalisation.
    fn normalised(self, convolution: Convolution, norm: &str) -> Convolution {
        convolution.padding(self.padding).norm(norm, self.epsilon)
    }

    /// The same, and its activation.
    fn ended(self, convolution: Convolution, norm: &str) -> Convolution {
        self.normalised(convolution, norm).then(self.activation)
    }
}

/// Widens, convolves each channel by itself, narrows; added to the input where that fits.
#[derive(Debug)]
struct Inverted {
    /// None where nothing is widened.
    widen: Option<Convolution>,
    depthwise: Convolution,
    squeeze: Option<Squeeze>,
    narrow: Convolution,
    is_added: bool,
    depth_share: f64,
}

impl Inverted {
    fn new(
        name: &str,
        variant: Variant,
        stage: &Stage,
        inputs: usize,
        stride: usize,
        depth_share: f64,
    ) -> Self {
        let wide = inputs * stage.expansion;
        let part = |part: &str| format!("{name}.{part}");
        let pointwise = |name: &str, channels| Convolution::new(part(name), channels, 1);
        let widens = stage.expansion > 1;
        // A block that does not widen has one convolution less, and timm's other names.
        let (norms, narrow) =
            if widens { (["bn2", "bn3"], "conv_pwl") } else { (["bn1", "bn2"], "conv_pw") };
        let widen =
            widens.then(|| variant.ended(pointwise("conv_pw", (inputs, wide)), &part("bn1")));
        let depthwise = Convolution::new(part("conv_dw"), (wide, wide), stage.kernel);
        let depthwise = variant.ended(depthwise.depthwise().stride(stride), &part(norms[0]));
        let squeeze =
            variant.has_squeeze.then(|| Squeeze::new(&part("se"), wide, (inputs / 4).max(1)));
        let narrow = pointwise(narrow, (wide, stage.outputs));
        Self {
            widen,
            depthwise,
            squeeze,
            narrow: variant.normalised(narrow, &part(norms[1])),
            is_added: stride == 1 && inputs == stage.outputs,
            depth_share,
        }
    }
}

impl Operation for Inverted {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        self.convolutions().into_iter().flat_map(Operation::tensor_specs).collect()
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        self.narrow.output_shape(&self.depthwise.output_shape(input))
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let wide = match &self.widen {
            Some(widen) => widen.run(x, weights)?,
            None => x.shallow_clone(),
        };
        let mut wide = self.depthwise.run(&wide, weights)?;
        if let Some(squeeze) = &self.squeeze {
            wide = squeeze.run(&wide, weights)?;
        }
        let narrow = self.narrow.run(&wide, weights)?;
        if !self.is_added {
            return Ok(narrow);
        }
        Ok(weights.drop_branch(narrow, self.depth_share)?.f_add(x)?)
    }

    fn has_branch(&self) -> bool {
        self.is_added
    }

    fn convolutions(&self) -> Vec<&Convolution> {
        let squeeze = self.squeeze.iter().flat_map(|it| [&it.reduce, &it.expand]);
        let first = self.widen.iter().chain([&self.depthwise]);
        first.chain(squeeze).chain([&self.narrow]).collect()
    }
}

/// Squeeze and excitation (Hu et al. 2018): each channel is multiplied by a number from 0 to 1 that
/// depends on the means of all channels.
#[derive(Debug)]
struct Squeeze {
    reduce: Convolution,
    expand: Convolution,
}

impl Squeeze {
    fn new(name: &str, channels: usize, reduced: usize) -> Self {
        let reduce = Convolution::new(format!("{name}.conv_reduce"), (channels, reduced), 1);
        let expand = Convolution::new(format!("{name}.conv_expand"), (reduced, channels), 1);
        Self { reduce: reduce.then(Activation::Silu), expand }
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let reduced = self.reduce.run(&mean_of_places(x)?, weights)?;
        let factor = self.expand.run(&reduced, weights)?.f_sigmoid()?;
        Ok(x.f_mul(&factor)?)
    }
}
