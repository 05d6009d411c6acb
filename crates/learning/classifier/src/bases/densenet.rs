//! DenseNet (Huang et al. 2017): each layer reads the maps of all layers before it in its block.

use tch::Tensor;

use super::convolution::{Activation, BatchNorm, Convolution, MaxPool};
use super::operation::{Operation, Weights};
use super::{Base, INPUT_CHANNELS, Layer, Published};
use crate::Result;
use crate::tensor_spec::TensorSpec;

const EPSILON: f64 = 1e-5;

/// Channels that each layer adds.
const GROWTH: usize = 32;

pub(super) fn densenet121() -> Base {
    let stem = Convolution::new("features.conv0", (INPUT_CHANNELS, 64), 7).stride(2);
    let stem = stem.norm("features.norm0", EPSILON).then(Activation::Relu);
    let mut layers = vec![
        Layer::new("features.conv0", 0, stem),
        Layer::new("features.pool0", 0, MaxPool::OF_THREE),
    ];
    let mut channels = 64;
    let blocks = [6, 12, 24, 16];
    for (block, dense_layers) in blocks.into_iter().enumerate() {
        let name = format!("features.denseblock{}", block + 1);
        for layer in 1..=dense_layers {
            let name = format!("{name}.denselayer{layer}");
            layers.push(Layer::new(name.clone(), block + 1, DenseLayer::new(&name, channels)));
            channels += GROWTH;
        }
        if block + 1 == blocks.len() {
            break;
        }
        if let Some(end) = layers.pop() {
            layers.push(end.cut(name));
        }
        let name = format!("features.transition{}", block + 1);
        layers.push(Layer::new(name.clone(), block + 2, Transition::new(&name, channels)));
        channels /= 2;
    }
    let end = LastNorm(BatchNorm::new("features.norm5", channels, EPSILON), channels);
    layers.push(Layer::new("features.norm5", blocks.len(), end).cut("features.norm5"));
    let published = Published::usual("timm/densenet121.ra_in1k", "Apache-2.0");
    Base::of_maps("densenet121", "DenseNet-121", published, layers)
}

/// A 1×1 and a 3×3 convolution of all maps so far; the result is put beside them.
#[derive(Debug)]
struct DenseLayer {
    before: BatchNorm,
    first: Convolution,
    second: Convolution,
}

impl DenseLayer {
    fn new(name: &str, channels: usize) -> Self {
        let first = Convolution::new(format!("{name}.conv1"), (channels, 4 * GROWTH), 1);
        Self {
            before: BatchNorm::new(format!("{name}.norm1"), channels, EPSILON),
            first: first.norm(format!("{name}.norm2"), EPSILON).then(Activation::Relu),
            second: Convolution::new(format!("{name}.conv2"), (4 * GROWTH, GROWTH), 3).no_bias(),
        }
    }
}

impl Operation for DenseLayer {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        let mut specs = self.before.tensor_specs();
        specs.extend(self.first.tensor_specs());
        specs.extend(self.second.tensor_specs());
        specs
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        vec![input[0] + GROWTH, input[1], input[2]]
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let normalised = Activation::Relu.apply(self.before.run(x, weights)?)?;
        let added = self.second.run(&self.first.run(&normalised, weights)?, weights)?;
        Ok(Tensor::f_cat(&[x, &added], 1)?)
    }

    fn convolutions(&self) -> Vec<&Convolution> {
        vec![&self.first, &self.second]
    }

    fn norms(&self) -> Vec<&BatchNorm> {
        vec![&self.before]
    }
}

/// Half the channels, and half the height and width.
#[derive(Debug)]
struct Transition {
    norm: BatchNorm,
    convolution: Convolution,
}

impl Transition {
    fn new(name: &str, channels: usize) -> Self {
        let convolution = Convolution::new(format!("{name}.conv"), (channels, channels / 2), 1);
        Self {
            norm: BatchNorm::new(format!("{name}.norm"), channels, EPSILON),
            convolution: convolution.no_bias(),
        }
    }
}

impl Operation for Transition {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        let mut specs = self.norm.tensor_specs();
        specs.extend(self.convolution.tensor_specs());
        specs
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        vec![input[0] / 2, input[1] / 2, input[2] / 2]
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let normalised = Activation::Relu.apply(self.norm.run(x, weights)?)?;
        let maps = self.convolution.run(&normalised, weights)?;
        Ok(maps.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)?)
    }

    fn convolutions(&self) -> Vec<&Convolution> {
        vec![&self.convolution]
    }

    fn norms(&self) -> Vec<&BatchNorm> {
        vec![&self.norm]
    }
}

/// The normalisation at the end, with its ReLU, and its channels.
#[derive(Debug)]
struct LastNorm(BatchNorm, usize);

impl Operation for LastNorm {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        self.0.tensor_specs()
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        vec![self.1, input[1], input[2]]
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        Activation::Relu.apply(self.0.run(x, weights)?)
    }

    fn norms(&self) -> Vec<&BatchNorm> {
        vec![&self.0]
    }
}
