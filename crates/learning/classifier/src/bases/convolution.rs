//! Convolutions with what usually follows them: a normalisation with frozen statistics, and an
//! activation.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::operation::{Accelerated, Operation, Weights};
use crate::Result;
use crate::network::convert;
use crate::tensor_spec::{Fresh, TensorSpec};

/// What is applied to each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    Relu,
    /// ReLU up to 6.
    Relu6,
    /// x · sigmoid(x), also called swish.
    Silu,
}

impl Activation {
    /// Changes `x` itself, which must not be needed otherwise.
    pub(super) fn apply(self, mut x: Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::None => x,
            Self::Relu => x.f_relu_()?,
            Self::Relu6 => x.f_clamp_(0.0, 6.0)?,
            Self::Silu if x.requires_grad() => x.f_silu()?,
            Self::Silu => x.f_silu_()?,
        })
    }
}

/// Batch normalisation with the statistics of the weights' training, as PyTorch's in `eval` mode.
/// Its factor and its summand learn like other weights, its statistics never change: batches here
/// are often too small to measure them anew, and an output does not depend on its neighbours.
#[derive(Debug, Clone)]
pub(crate) struct BatchNorm {
    name: String,
    channels: usize,
    epsilon: f64,
}

impl BatchNorm {
    pub(super) fn new(name: impl Into<String>, channels: usize, epsilon: f64) -> Self {
        Self { name: name.into(), channels, epsilon }
    }

    fn part(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }

    pub(super) fn tensor_specs(&self) -> Vec<TensorSpec> {
        let spec = |part, value| {
            TensorSpec::new(self.part(part), &[self.channels]).fresh(Fresh::Constant(value))
        };
        vec![
            spec("weight", 1.0),
            spec("bias", 0.0),
            spec("running_mean", 0.0),
            spec("running_var", 1.0),
        ]
    }

    /// The factor and the summand that it is the same as, fp32.
    fn factor_and_summand(&self, tensor: impl Fn(&str) -> Tensor) -> Result<(Tensor, Tensor)> {
        let of = |part| tensor(&self.part(part));
        let deviation = of("running_var").f_add_scalar(self.epsilon)?.f_sqrt()?;
        let factor = of("weight").f_div(&deviation)?;
        let summand = of("bias").f_sub(&of("running_mean").f_mul(&factor)?)?;
        Ok((factor, summand))
    }

    /// Removes its tensors and returns what they are the same as.
    fn take(&self, tensors: &mut BTreeMap<String, Tensor>) -> Result<(Tensor, Tensor)> {
        let reduced = self.factor_and_summand(|name| tensors[name].shallow_clone())?;
        for part in ["weight", "bias", "running_mean", "running_var"] {
            tensors.remove(&self.part(part));
        }
        Ok(reduced)
    }

    /// Replaces its weight by the factor and its bias by the summand, for frozen layers.
    pub(super) fn reduce(&self, tensors: &mut BTreeMap<String, Tensor>) -> Result<()> {
        let (factor, summand) = self.take(tensors)?;
        tensors.insert(self.part("weight"), factor);
        tensors.insert(self.part("bias"), summand);
        Ok(())
    }

    /// Normalises maps `[N, C, H, W]`.
    pub(super) fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let (factor, summand) = if weights.is_frozen(&self.part("weight")) {
            (weights.get(&self.part("weight"))?, weights.get(&self.part("bias"))?)
        } else {
            self.factor_and_summand(|name| weights.original(name).shallow_clone())?
        };
        let aligned = |values: &Tensor| -> Result<Tensor> {
            Ok(values.f_to_kind(x.kind())?.f_reshape([1, -1, 1, 1])?)
        };
        Ok(aligned(&summand)?.f_addcmul(x, &aligned(&factor)?)?)
    }
}

/// The border that a convolution adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    /// Half a kernel on every side, as in PyTorch.
    Half,
    /// As TensorFlow's `SAME`: as much as is needed, the odd pixel below and on the right.
    Same,
    /// None.
    Valid,
}

/// A convolution, the normalisation after it, the activation after that.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    name: String,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    padding: Padding,
    has_bias: bool,
    norm: Option<BatchNorm>,
    activation: Activation,
}

impl Convolution {
    /// A convolution of `kernel` × `kernel` with a bias, nothing after it.
    pub(super) fn new(
        name: impl Into<String>,
        (inputs, outputs): (usize, usize),
        kernel: usize,
    ) -> Self {
        Self {
            name: name.into(),
            inputs,
            outputs,
            kernel,
            stride: 1,
            groups: 1,
            padding: Padding::Half,
            has_bias: true,
            norm: None,
            activation: Activation::None,
        }
    }

    pub(super) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Each channel by itself.
    pub(super) fn depthwise(self) -> Self {
        Self { groups: self.inputs, ..self }
    }

    pub(super) fn padding(self, padding: Padding) -> Self {
        Self { padding, ..self }
    }

    pub(super) fn no_bias(self) -> Self {
        Self { has_bias: false, ..self }
    }

    /// With a normalisation in place of the bias.
    pub(super) fn norm(self, name: impl Into<String>, epsilon: f64) -> Self {
        let norm = BatchNorm::new(name, self.outputs, epsilon);
        Self { norm: Some(norm), has_bias: false, ..self }
    }

    pub(super) fn then(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    fn part(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }

    fn kernel_and_bias(&self, weights: &Weights<'_>) -> Result<(Tensor, Option<Tensor>)> {
        let weight = self.part("weight");
        if let Some(norm) = self.norm.as_ref().filter(|_| !weights.is_frozen(&weight)) {
            let (factor, summand) =
                norm.factor_and_summand(|name| weights.original(name).shallow_clone())?;
            let kernel = weights.original(&weight).f_mul(&factor.f_reshape([-1, 1, 1, 1])?)?;
            let kernel = convert(&kernel, weights.format)?;
            return Ok((kernel, Some(summand.f_to_kind(weights.format)?)));
        }
        let has_bias = self.has_bias || self.norm.is_some();
        let bias = has_bias.then(|| weights.get(&self.part("bias"))).transpose()?;
        Ok((weights.get(&weight)?, bias))
    }

    /// Makes the normalisation a part of the kernel and of a bias, for frozen layers.
    pub(super) fn fuse(&self, tensors: &mut BTreeMap<String, Tensor>) -> Result<()> {
        let Some(norm) = &self.norm else { return Ok(()) };
        let (factor, summand) = norm.take(tensors)?;
        let weight = self.part("weight");
        let kernel = tensors[&weight].f_mul(&factor.f_reshape([-1, 1, 1, 1])?)?;
        tensors.insert(weight, kernel);
        tensors.insert(self.part("bias"), summand);
        Ok(())
    }

    /// The padding of each side: before and after.
    fn border(&self, side: usize) -> (usize, usize) {
        match self.padding {
            Padding::Valid => (0, 0),
            Padding::Half => (self.kernel / 2, self.kernel / 2),
            Padding::Same => {
                let seen = (side.div_ceil(self.stride) - 1) * self.stride + self.kernel;
                let border = seen.saturating_sub(side);
                (border / 2, border - border / 2)
            }
        }
    }

    fn side_after(&self, side: usize) -> usize {
        let (before, after) = self.border(side);
        (before + side + after - self.kernel) / self.stride + 1
    }
}

impl Operation for Convolution {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        let shape = [self.outputs, self.inputs / self.groups, self.kernel, self.kernel];
        let fan_out = self.outputs / self.groups * self.kernel * self.kernel;
        let mut specs =
            vec![TensorSpec::new(self.part("weight"), &shape).fresh(Fresh::he(fan_out))];
        if self.has_bias {
            specs.push(TensorSpec::new(self.part("bias"), &[self.outputs]));
        }
        specs.extend(self.norm.iter().flat_map(BatchNorm::tensor_specs));
        specs
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        vec![self.outputs, self.side_after(input[1]), self.side_after(input[2])]
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let (kernel, bias) = self.kernel_and_bias(weights)?;
        let side = x.size()[2] as usize;
        let (before, after) = self.border(side);
        // Unequal borders are added before; libtorch adds equal ones itself.
        let (x, padding) = if before == after {
            (x.shallow_clone(), before as i64)
        } else {
            let (before, after) = (before as i64, after as i64);
            (x.f_constant_pad_nd([before, after, before, after])?, 0)
        };
        let (stride, groups) = (self.stride as i64, self.groups as i64);
        let y = x.f_conv2d(
            &kernel,
            bias.as_ref(),
            [stride, stride],
            [padding, padding],
            [1, 1],
            groups,
        )?;
        self.activation.apply(y)
    }

    fn convolutions(&self) -> Vec<&Convolution> {
        vec![self]
    }

    fn accelerated(&self) -> Option<Accelerated> {
        let is_ours = self.kernel == 3
            && (self.stride, self.groups, self.padding) == (1, 1, Padding::Half)
            && self.has_bias
            && self.activation == Activation::Relu
            && self.outputs.is_multiple_of(32);
        is_ours.then(|| Accelerated::Convolution {
            weight: self.part("weight"),
            bias: self.part("bias"),
            inputs: self.inputs,
            outputs: self.outputs,
        })
    }
}

/// The maximum of squares.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaxPool {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
}

impl MaxPool {
    /// 2×2 with stride 2; an odd last row or column is dropped.
    pub(super) const HALF: Self = Self { kernel: 2, stride: 2, padding: 0 };
    /// 3×3 with stride 2.
    pub(super) const OF_THREE: Self = Self { kernel: 3, stride: 2, padding: 1 };
}

impl Operation for MaxPool {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        Vec::new()
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        let side = |side: usize| (side + 2 * self.padding - self.kernel) / self.stride + 1;
        vec![input[0], side(input[1]), side(input[2])]
    }

    fn run(&self, x: &Tensor, _weights: &Weights<'_>) -> Result<Tensor> {
        let [kernel, stride, padding] =
            [self.kernel, self.stride, self.padding].map(|it| [it as i64; 2]);
        Ok(x.f_max_pool2d(kernel, stride, padding, [1, 1], false)?)
    }

    fn accelerated(&self) -> Option<Accelerated> {
        ((self.kernel, self.stride, self.padding) == (2, 2, 0)).then_some(Accelerated::MaxPool)
    }
}

/// The mean over the places of maps: `[N, C, H, W]` to `[N, C, 1, 1]`.
pub(super) fn mean_of_places(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_mean_dim(&[2_i64, 3][..], true, None::<Kind>)?)
}
