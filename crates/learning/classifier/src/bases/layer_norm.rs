//! Layer normalisation, over the channels of each place.

use tch::Tensor;

use super::operation::Weights;
use crate::Result;
use crate::tensor_spec::{Fresh, TensorSpec};

/// As PyTorch's `LayerNorm`; it has no statistics.
#[derive(Debug, Clone)]
pub(super) struct LayerNorm {
    name: String,
    channels: usize,
}

/// timm's for ConvNeXt and vision transformers.
const EPSILON: f64 = 1e-6;

impl LayerNorm {
    pub(super) fn new(name: impl Into<String>, channels: usize) -> Self {
        Self { name: name.into(), channels }
    }

    fn part(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }

    pub(super) fn tensor_specs(&self) -> Vec<TensorSpec> {
        vec![
            TensorSpec::new(self.part("weight"), &[self.channels]).fresh(Fresh::Constant(1.0)),
            TensorSpec::new(self.part("bias"), &[self.channels]),
        ]
    }

    /// Normalises the last axis, the channels.
    pub(super) fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let (weight, bias) = (weights.get(&self.part("weight"))?, weights.get(&self.part("bias"))?);
        let channels = [self.channels as i64];
        Ok(x.f_layer_norm(channels, Some(&weight), Some(&bias), EPSILON, false)?)
    }

    /// Normalises the channels of maps `[N, C, H, W]`.
    pub(super) fn run_on_maps(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let places = self.run(&x.f_permute([0, 2, 3, 1])?, weights)?;
        Ok(places.f_permute([0, 3, 1, 2])?)
    }
}

/// A dense layer on the last axis.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    name: String,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    pub(super) fn new(name: impl Into<String>, inputs: usize, outputs: usize) -> Self {
        Self { name: name.into(), inputs, outputs }
    }

    fn part(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }

    /// Fresh weights are timm's: normal, with a deviation of 0.02.
    pub(super) fn tensor_specs(&self) -> Vec<TensorSpec> {
        vec![
            TensorSpec::new(self.part("weight"), &[self.outputs, self.inputs])
                .fresh(Fresh::Normal(0.02)),
            TensorSpec::new(self.part("bias"), &[self.outputs]),
        ]
    }

    pub(super) fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let (weight, bias) = (weights.get(&self.part("weight"))?, weights.get(&self.part("bias"))?);
        Ok(x.f_linear(&weight, Some(&bias))?)
    }
}

/// The exact GELU (Hendrycks & Gimpel 2016); where no gradient is wanted, in the memory that is there.
pub(super) fn gelu(mut x: Tensor) -> Result<Tensor> {
    Ok(if x.requires_grad() { x.f_gelu("none")? } else { x.f_gelu_("none")? })
}
