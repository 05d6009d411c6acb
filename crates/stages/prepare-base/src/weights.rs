//! The base's 26 tensors, `features.0.weight` to `features.28.bias`, from one of three sources.

mod cache;
mod card;
mod error;
mod file;
mod header;
mod hub;
mod keras;
mod loaded;
mod select;

use artifact::WithPath;
use classifier::{BaseInput, BaseWeights, initialise, vgg16};
use config::{Config, PrepareBaseParams, WeightsSource};

pub(crate) use error::WeightsError;
pub(crate) use loaded::Weights;

/// Obtains the weights that the parameters name, checked against VGG16's shapes.
pub(crate) fn load(config: &Config, params: &PrepareBaseParams) -> Result<Weights, WeightsError> {
    let (specs, file) = (vgg16::tensor_specs(), &config.pretrained.file);
    let weights = match params.weights {
        WeightsSource::Imagenet if file.try_exists().with_path("look for", file)? => {
            tracing::info!("using the weights in {}; nothing is downloaded", file.display());
            file::load(file, &specs)
        }
        WeightsSource::Imagenet => hub::load(config, &specs),
        WeightsSource::File => file::load(file, &specs),
        WeightsSource::Random => Ok(Weights {
            tensors: initialise::random_base(params.seed),
            description: BaseWeights::drawn(format!("He initialisation, seed {}", params.seed)),
        }),
    }?;
    tell(&weights.description, params.image_size);
    Ok(weights)
}

/// Logs the input that the weights need, and whether the images have another size than in their
/// training. Convolutions accept any size, so this is not an error.
fn tell(description: &BaseWeights, image_size: u32) {
    let Some(BaseInput { normalisation, image_size: trained_on }) = description.input else {
        return;
    };
    tracing::info!("the weights need the normalisation {normalisation}");
    if let Some(size) = trained_on.filter(|size| *size != image_size) {
        tracing::info!(
            "the weights were trained on images of {size} × {size} pixels; \
             prepare_base.image_size is {image_size}"
        );
    }
}
