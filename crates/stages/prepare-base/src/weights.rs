//! The base's tensors, from one of three sources.

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
use classifier::bases::Base;
use classifier::{BaseInput, BaseWeights, initialise};
use config::{Config, PrepareBaseParams, WeightsSource};

pub(crate) use error::WeightsError;
pub(crate) use loaded::Weights;

/// Obtains the weights that the parameters name, checked against the base's shapes.
pub(crate) fn load(
    config: &Config,
    params: &PrepareBaseParams,
    base: &'static Base,
) -> Result<Weights, WeightsError> {
    let file = &config.pretrained.file_of(base.name);
    let weights = match params.weights {
        WeightsSource::Imagenet if file.try_exists().with_path("look for", file)? => {
            tracing::info!("using the weights in {}; nothing is downloaded", file.display());
            file::load(file, base)
        }
        WeightsSource::Imagenet => hub::load(config, base),
        WeightsSource::File => file::load(file, base),
        WeightsSource::Random => Ok(Weights {
            tensors: initialise::random_base(base, params.seed),
            description: BaseWeights::drawn(format!("He initialisation, seed {}", params.seed)),
        }),
    }?;
    tell(&weights.description, params.image_size);
    Ok(weights)
}

/// Logs the input that the weights need, and whether the images have another size than in their
/// training. Convolutions accept any size, so this is not an error.
fn tell(description: &BaseWeights, image_size: u32) {
    let Some(BaseInput { normalisation, image_size: trained_on, interpolation }) =
        description.input
    else {
        return;
    };
    tracing::info!(
        "the weights need the normalisation {normalisation} and {interpolation} interpolation"
    );
    if let Some(size) = trained_on.filter(|size| *size != image_size) {
        tracing::info!(
            "the weights were trained on images of {size} × {size} pixels; \
             prepare_base.image_size is {image_size}"
        );
    }
}
