//! ResNet (He et al. 2016), with the stride in the 3×3 convolution, as torchvision's and timm's.

use tch::Tensor;

use super::convolution::{Activation, Convolution, MaxPool};
use super::operation::{Operation, Weights};
use super::{Base, INPUT_CHANNELS, Layer, Published};
use crate::Result;
use crate::tensor_spec::TensorSpec;

const EPSILON: f64 = 1e-5;

/// The kind of residual block.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Two 3×3 convolutions.
    Basic,
    /// 1×1, 3×3 and 1×1; the last one has four times the channels.
    Bottleneck,
}

pub(super) fn resnet18() -> Base {
    let published = Published::usual("timm/resnet18.a1_in1k", "Apache-2.0");
    Base::of_maps("resnet18", "ResNet-18", published, layers(Kind::Basic, [2, 2, 2, 2]))
}

pub(super) fn resnet50() -> Base {
    let published = Published::usual("timm/resnet50.a1_in1k", "Apache-2.0");
    Base::of_maps("resnet50", "ResNet-50", published, layers(Kind::Bottleneck, [3, 4, 6, 3]))
}

/// Stages of this many residual blocks; each stage but the first halves height and width.
fn layers(kind: Kind, blocks: [usize; 4]) -> Vec<Layer> {
    let stem = Convolution::new("conv1", (INPUT_CHANNELS, 64), 7).stride(2);
    let stem = stem.norm("bn1", EPSILON).then(Activation::Relu);
    let mut layers =
        vec![Layer::new("conv1", 0, stem), Layer::new("maxpool", 0, MaxPool::OF_THREE)];
    let last = blocks.iter().sum::<usize>() - 1;
    let (mut inputs, mut place) = (64, 0);
    for (stage, blocks) in blocks.into_iter().enumerate() {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let name = format!("layer{}.{block}", stage + 1);
            let share = place as f64 / last as f64;
            let residual = Residual::new(&name, kind, inputs, 64 << stage, stride, share);
            inputs = residual.outputs();
            layers.push(Layer::new(name, stage + 1, residual));
            place += 1;
        }
        if let Some(end) = layers.pop() {
            layers.push(end.cut(format!("layer{}", stage + 1)));
        }
    }
    layers
}

/// A few convolutions whose result is added to their input, and a ReLU of the sum.
#[derive(Debug)]
struct Residual {
    convolutions: Vec<Convolution>,
    /// Makes the input fit where size or channels change.
    shortcut: Option<Convolution>,
    depth_share: f64,
    outputs: usize,
}

impl Residual {
    fn new(
        name: &str,
        kind: Kind,
        inputs: usize,
        width: usize,
        stride: usize,
        depth_share: f64,
    ) -> Self {
        let convolution = |number: usize, channels, kernel| {
            Convolution::new(format!("{name}.conv{number}"), channels, kernel)
                .norm(format!("{name}.bn{number}"), EPSILON)
        };
        let (convolutions, outputs) = match kind {
            Kind::Basic => {
                let first = convolution(1, (inputs, width), 3).stride(stride);
                let second = convolution(2, (width, width), 3);
                (vec![first.then(Activation::Relu), second], width)
            }
            Kind::Bottleneck => {
                let first = convolution(1, (inputs, width), 1).then(Activation::Relu);
                let second = convolution(2, (width, width), 3).stride(stride);
                let third = convolution(3, (width, 4 * width), 1);
                (vec![first, second.then(Activation::Relu), third], 4 * width)
            }
        };
        let shortcut = (stride > 1 || inputs != outputs).then(|| {
            Convolution::new(format!("{name}.downsample.0"), (inputs, outputs), 1)
                .stride(stride)
                .norm(format!("{name}.downsample.1"), EPSILON)
        });
        Self { convolutions, shortcut, depth_share, outputs }
    }

    fn outputs(&self) -> usize {
        self.outputs
    }
}

impl Operation for Residual {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        self.convolutions().into_iter().flat_map(Operation::tensor_specs).collect()
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        let next = |shape: Vec<usize>, it: &Convolution| it.output_shape(&shape);
        self.convolutions.iter().fold(input.to_vec(), next)
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let mut branch = x.shallow_clone();
        for convolution in &self.convolutions {
            branch = convolution.run(&branch, weights)?;
        }
        let branch = weights.drop_branch(branch, self.depth_share)?;
        let sum = match &self.shortcut {
            Some(shortcut) => branch.f_add(&shortcut.run(x, weights)?)?,
            None => branch.f_add(x)?,
        };
        Activation::Relu.apply(sum)
    }

    fn has_branch(&self) -> bool {
        true
    }

    fn convolutions(&self) -> Vec<&Convolution> {
        self.convolutions.iter().chain(&self.shortcut).collect()
    }
}
