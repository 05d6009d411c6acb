//! What a layer computes, and the weights it computes with.

use std::collections::BTreeMap;
use std::fmt::Debug;

use tch::{Kind, Tensor};

use super::convolution::{BatchNorm, Convolution};
use crate::Result;
use crate::network::{StepRows, convert};
use crate::tensor_spec::TensorSpec;

/// What a layer computes.
pub(crate) trait Operation: Debug + Send + Sync {
    /// Its tensors. Those that a gradient never changes end in [`STATISTICS`].
    fn tensor_specs(&self) -> Vec<TensorSpec>;

    /// The shape of its output, without the batch, for an input of this shape.
    fn output_shape(&self, input: &[usize]) -> Vec<usize>;

    /// Its output for `[N, …input]`, in the number format of the weights.
    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor>;

    /// Convolutions whose normalisation becomes a part of their kernel while they are frozen.
    fn convolutions(&self) -> Vec<&Convolution> {
        Vec::new()
    }

    /// Other normalisations, which become a factor and a summand while they are frozen.
    fn norms(&self) -> Vec<&BatchNorm> {
        Vec::new()
    }

    /// Whether a part of it is added to its input, and may be left out.
    fn has_branch(&self) -> bool {
        false
    }

    /// What our own kernels need to compute it, if they can.
    fn accelerated(&self) -> Option<Accelerated> {
        None
    }
}

/// A layer that crate `winograd` computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accelerated {
    /// A 3×3 convolution with padding 1, bias and ReLU.
    Convolution {
        /// The kernel's tensor.
        weight: String,
        /// The bias' tensor.
        bias: String,
        /// Channels in.
        inputs: usize,
        /// Channels out.
        outputs: usize,
    },
    /// A 2×2 maximum with stride 2; an odd last row or column is dropped.
    MaxPool,
}

/// The ends of the names of tensors that are measured, and never follow a gradient.
pub(crate) const STATISTICS: [&str; 2] = [".running_mean", ".running_var"];

/// The weights of a network's layers.
#[derive(Debug)]
pub(crate) struct Weights<'a> {
    /// Those of frozen layers, as [`prepare`] left them.
    pub(crate) frozen: Option<&'a BTreeMap<String, Tensor>>,
    /// Those of layers that learn, fp32.
    pub(crate) learnt: &'a BTreeMap<String, Tensor>,
    /// The number format to compute in.
    pub(crate) format: Kind,
    /// How often the last residual branch is left out in training.
    pub(crate) stochastic_depth: f64,
    /// The images of a training step; none outside training.
    pub(crate) step: Option<StepRows>,
}

impl Weights<'_> {
    /// A tensor in the number format. One that learns is converted at every use, so that its fp32
    /// original receives the gradient.
    pub(super) fn get(&self, name: &str) -> Result<Tensor> {
        match self.frozen.and_then(|frozen| frozen.get(name)) {
            Some(frozen) => Ok(frozen.shallow_clone()),
            None => convert(&self.learnt[name], self.format),
        }
    }

    /// Whether a tensor belongs to a frozen layer.
    pub(super) fn is_frozen(&self, name: &str) -> bool {
        self.frozen.is_some_and(|frozen| frozen.contains_key(name))
    }

    /// A tensor of a layer that learns, fp32.
    pub(super) fn original(&self, name: &str) -> &Tensor {
        &self.learnt[name]
    }

    /// A residual branch `[N, …]`, left out for some images, and larger for the others so that the
    /// mean stays: stochastic depth (Huang et al. 2016), as timm's `DropPath`. `share` is how deep
    /// the branch lies, from 0 to 1; it draws from libtorch's generator.
    pub(super) fn drop_branch(&self, branch: Tensor, share: f64) -> Result<Tensor> {
        let kept = 1.0 - self.stochastic_depth * share;
        let Some(rows) = self.step.filter(|_| kept < 1.0) else { return Ok(branch) };
        let mut shape = vec![1; branch.dim()];
        shape[0] = rows.of;
        let mut mask = Tensor::f_empty(&shape, (branch.kind(), branch.device()))?;
        let mask = mask.f_bernoulli_float_(kept)?.f_div_scalar(kept)?;
        Ok(branch.f_mul(&rows.among(&mask)?)?)
    }
}

/// Prepares the tensors of frozen layers: normalisations go into the kernels before them, or become
/// a factor and a summand, both in fp32; then all get the number format, and kernels the layout in
/// which libtorch is fastest.
pub(crate) fn prepare<'a>(
    operations: impl Iterator<Item = &'a dyn Operation>,
    mut tensors: BTreeMap<String, Tensor>,
    format: Kind,
) -> Result<BTreeMap<String, Tensor>> {
    for operation in operations {
        for convolution in operation.convolutions() {
            convolution.fuse(&mut tensors)?;
        }
        for norm in operation.norms() {
            norm.reduce(&mut tensors)?;
        }
    }
    tensors.into_iter().map(|(name, tensor)| Ok((name, convert(&tensor, format)?))).collect()
}
