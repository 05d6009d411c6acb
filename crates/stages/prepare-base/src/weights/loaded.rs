use classifier::BaseWeights;
use classifier::tensors::TensorMap;

/// The base's tensors.
#[derive(Debug)]
pub(crate) struct Weights {
    /// Exactly those of [`classifier::bases::Base::tensor_specs`].
    pub(crate) tensors: TensorMap,
    /// Their origin, and the input they need.
    pub(crate) description: BaseWeights,
}
