//! The base's 26 tensors, `features.0.weight` to `features.28.bias`, from three places.

mod cache;
mod error;
mod file;
mod header;
mod hub;
mod select;

use classifier::tensors::TensorMap;
use classifier::{initialise, vgg16};
use config::{Config, PrepareBaseParams, WeightsSource};

pub(crate) use error::WeightsError;

/// The base's tensors.
#[derive(Debug)]
pub(crate) struct Weights {
    /// Exactly [`vgg16::tensor_specs`].
    pub(crate) tensors: TensorMap,
    /// Where they came from, in words.
    pub(crate) origin: String,
}

/// Brings the weights that the parameters ask for, checked against VGG16's shapes.
pub(crate) fn load(config: &Config, params: &PrepareBaseParams) -> Result<Weights, WeightsError> {
    let specs = vgg16::tensor_specs();
    match params.weights {
        WeightsSource::Imagenet => hub::load(config, &specs),
        WeightsSource::File => file::load(&config.pretrained.file, &specs),
        WeightsSource::Random => Ok(Weights {
            tensors: initialise::random_base(params.seed),
            origin: format!("He initialisation, seed {}", params.seed),
        }),
    }
}
