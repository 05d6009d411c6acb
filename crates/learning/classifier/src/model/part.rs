//! One network of a model.

use config::{DeviceChoice, Flip, Precision};
use metrics::Temperature;
use tch::Tensor;

use super::{Heatmap, ModelOutput};
use crate::Result;
use crate::backend::{Backend, NumberFormat};
use crate::description::ModelDescription;
use crate::ensemble;
use crate::network::{Mode, Network, rows};
use crate::tensors::TensorMap;

/// A network with its share of the model's answer.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) network: Network,
    pub(super) weight: f64,
    pub(super) temperature: Temperature,
    /// Which image of the model's input it sees, and how that is flipped.
    pub(super) image: usize,
    pub(super) flip: Flip,
    /// An earlier part that computes the activations; this one has no base then.
    pub(super) activations_of: Option<usize>,
}

impl Part {
    /// The networks of a model on a device, with the tensors of its file.
    ///
    /// # Errors
    /// When a tensor is missing, superfluous or of another shape, or libtorch fails.
    pub(super) fn all(
        description: &ModelDescription,
        weights: &TensorMap,
        device: DeviceChoice,
        origin: &str,
    ) -> Result<Vec<Self>> {
        if description.ensemble.is_empty() {
            let backend = backend_of(description, device)?;
            let network = Network::new(&description.architecture, weights, backend, origin)?;
            return Ok(vec![Self {
                network,
                weight: 1.0,
                temperature: Temperature::ONE,
                image: 0,
                flip: Flip::None,
                activations_of: None,
            }]);
        }
        let (input, members) = (description.input(), &description.ensemble);
        let tensors = ensemble::tensors_of(members, weights, origin)?;
        let parts = members.iter().zip(tensors).enumerate().map(|(place, (member, tensors))| {
            let backend = backend_of(&member.model, device)?;
            let architecture = &member.model.architecture;
            let activations_of =
                members[..place].iter().position(|earlier| member.shares_activations(earlier));
            let network = match activations_of {
                Some(_) => Network::of_activations(architecture, &tensors, backend, &member.name)?,
                None => Network::new(architecture, &tensors, backend, &member.name)?,
            };
            Ok(Self {
                network,
                weight: member.weight,
                temperature: member.temperature,
                image: input.place_of(&member.preprocessing()).unwrap_or_default(),
                flip: member.flip,
                activations_of,
            })
        });
        parts.collect()
    }

    /// The outputs for the first `images` of the activations.
    pub(super) fn outputs(&self, activations: &Tensor, images: usize) -> Result<Vec<ModelOutput>> {
        let head_inputs = self.network.head_inputs(activations, Mode::Prediction)?;
        let logits = rows(&self.network.logits(&head_inputs, Mode::Prediction)?)?;
        let pooled = rows(&self.network.pooled(&head_inputs)?)?;
        let both = logits.into_iter().zip(pooled).take(images);
        Ok(both.map(|(logits, pooled)| ModelOutput { logits, pooled }).collect())
    }

    /// The heat map of a class, with the picture's own left and top. `base` computes the maps below
    /// the head: this network, or the one whose activations it uses.
    pub(super) fn grad_cam(&self, base: &Network, image: &[f32], class: usize) -> Result<Heatmap> {
        let image = self.network.upload(image, &self.network.image_shape(1))?;
        let map = rows(&self.network.grad_cam(base, &image, class)?)?;
        let (side, mut values) = (map.len(), map.concat());
        self.flip.apply(&mut values, side.max(1));
        Ok(Heatmap { side, values })
    }
}

fn backend_of(description: &ModelDescription, device: DeviceChoice) -> Result<Backend> {
    let precision = match description.precision {
        NumberFormat::Fp32 => Precision::Fp32,
        NumberFormat::Bf16 => Precision::Bf16,
    };
    Backend::choose(device, precision)
}
