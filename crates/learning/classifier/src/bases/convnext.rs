//! ConvNeXt (Liu et al. 2022).

use tch::Tensor;

use super::convolution::{Convolution, Padding};
use super::layer_norm::{LayerNorm, Linear, gelu};
use super::operation::{Operation, Weights};
use super::{Base, INPUT_CHANNELS, Layer, Published};
use crate::Result;
use crate::tensor_spec::{Fresh, TensorSpec};

/// Blocks and channels of each stage; the first reads patches of 4×4 pixels, each later one halves
/// height and width.
const STAGES: [(usize, usize); 4] = [(3, 96), (3, 192), (9, 384), (3, 768)];

pub(super) fn convnext_tiny() -> Base {
    let mut layers = Vec::new();
    let last = STAGES.iter().map(|(blocks, _)| blocks).sum::<usize>() - 1;
    let (mut inputs, mut place) = (INPUT_CHANNELS, 0);
    for (stage, (blocks, channels)) in STAGES.into_iter().enumerate() {
        if stage == 0 {
            layers.push(Layer::new("stem", stage, Stem::new(channels)));
        } else {
            let name = format!("stages.{stage}.downsample");
            let narrower = Narrower::new(&name, inputs, channels);
            layers.push(Layer::new(name, stage, narrower));
        }
        for block in 0..blocks {
            let name = format!("stages.{stage}.blocks.{block}");
            let share = place as f64 / last as f64;
            layers.push(Layer::new(name.clone(), stage, Block::new(&name, channels, share)));
            place += 1;
        }
        if let Some(end) = layers.pop() {
            layers.push(end.cut(format!("stages.{stage}")));
        }
        inputs = channels;
    }
    let published = Published::usual("timm/convnext_tiny.in12k_ft_in1k", "Apache-2.0");
    Base::of_maps("convnext_tiny", "ConvNeXt-Tiny", published, layers)
}

/// Patches of 4×4 pixels, normalised.
#[derive(Debug)]
struct Stem {
    convolution: Convolution,
    norm: LayerNorm,
}

impl Stem {
    fn new(channels: usize) -> Self {
        let convolution = Convolution::new("stem.0", (INPUT_CHANNELS, channels), 4);
        Self {
            convolution: convolution.stride(4).padding(Padding::Valid),
            norm: LayerNorm::new("stem.1", channels),
        }
    }
}

impl Operation for Stem {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        let mut specs = self.convolution.tensor_specs();
        specs.extend(self.norm.tensor_specs());
        specs
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        self.convolution.output_shape(input)
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        self.norm.run_on_maps(&self.convolution.run(x, weights)?, weights)
    }
}

/// Normalised, then patches of 2×2 places.
#[derive(Debug)]
struct Narrower {
    norm: LayerNorm,
    convolution: Convolution,
}

impl Narrower {
    fn new(name: &str, inputs: usize, outputs: usize) -> Self {
        let convolution = Convolution::new(format!("{name}.1"), (inputs, outputs), 2);
        Self {
            norm: LayerNorm::new(format!("{name}.0"), inputs),
            convolution: convolution.stride(2).padding(Padding::Valid),
        }
    }
}

impl Operation for Narrower {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        let mut specs = self.norm.tensor_specs();
        specs.extend(self.convolution.tensor_specs());
        specs
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        self.convolution.output_shape(input)
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        self.convolution.run(&self.norm.run_on_maps(x, weights)?, weights)
    }
}

/// A depthwise 7×7 convolution, then two dense layers on the channels of each place; the result,
/// scaled, is added to the input.
#[derive(Debug)]
struct Block {
    depthwise: Convolution,
    norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    scale: TensorSpec,
    depth_share: f64,
}

impl Block {
    fn new(name: &str, channels: usize, depth_share: f64) -> Self {
        let part = |part: &str| format!("{name}.{part}");
        Self {
            depthwise: Convolution::new(part("conv_dw"), (channels, channels), 7).depthwise(),
            norm: LayerNorm::new(part("norm"), channels),
            widen: Linear::new(part("mlp.fc1"), channels, 4 * channels),
            narrow: Linear::new(part("mlp.fc2"), 4 * channels, channels),
            scale: TensorSpec::new(part("gamma"), &[channels]).fresh(Fresh::Constant(1e-6)),
            depth_share,
        }
    }
}

impl Operation for Block {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        let mut specs = self.depthwise.tensor_specs();
        specs.extend(self.norm.tensor_specs());
        specs.extend(self.widen.tensor_specs());
        specs.extend(self.narrow.tensor_specs());
        specs.push(self.scale.clone());
        specs
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        input.to_vec()
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let places = self.depthwise.run(x, weights)?.f_permute([0, 2, 3, 1])?;
        let wide = self.widen.run(&self.norm.run(&places, weights)?, weights)?;
        let narrow = self.narrow.run(&gelu(wide)?, weights)?;
        let scaled = narrow.f_mul(&weights.get(&self.scale.name)?)?.f_permute([0, 3, 1, 2])?;
        Ok(weights.drop_branch(scaled, self.depth_share)?.f_add(x)?)
    }

    fn has_branch(&self) -> bool {
        true
    }

    fn convolutions(&self) -> Vec<&Convolution> {
        vec![&self.depthwise]
    }
}
