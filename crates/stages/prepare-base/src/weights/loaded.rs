use classifier::BaseWeights;
use classifier::tensors::TensorMap;

/// The base's tensors.
#[derive(Debug)]
pub(crate) struct Weights {
    /// Exactly [`classifier::vgg16::tensor_specs`].
    pub(crate) tensors: TensorMap,
    /// Where they came from, and what they want to see.
    pub(crate) description: BaseWeights,
}
