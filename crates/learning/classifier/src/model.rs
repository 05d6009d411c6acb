//! The selected model: `model/trained_model.safetensors`, `class_indices.json`, `model.json`.

use std::path::Path;

use artifact::Digest;
use config::{DeviceChoice, Precision};
use dataset::{ClassIndex, ClassIndices};
use tch::Tensor;

use crate::backend::{Backend, FORWARD_BATCH, NumberFormat};
use crate::checkpoint::{CheckpointMetadata, RunId};
use crate::description::{ModelDescription, ModelDigests, ModelSource};
use crate::network::{Mode, Network, rows};
use crate::seal::seal_of;
use crate::tensors::{self, TensorMap};
use crate::{ClassifierError, Result};

/// Writes a model folder: the base's tensors and the checkpoint's in one file, the class indices,
/// the description.
///
/// `base` has the tensors of `base_model.safetensors`; tensors that the checkpoint also holds are
/// replaced by the checkpoint's.
///
/// # Errors
/// When tensors are missing or superfluous, or a file cannot be written.
pub fn write(
    folder: &Path,
    base: TensorMap,
    checkpoint: TensorMap,
    metadata: &CheckpointMetadata,
    (checkpoint_name, checkpoint_sha256): (&str, Digest),
) -> Result<ModelDescription> {
    let mut weights = base;
    weights.extend(checkpoint);
    tensors::check(&weights, &metadata.architecture.tensor_specs(), checkpoint_name)?;
    let weights_sha256 =
        tensors::write(&folder.join(ModelDescription::WEIGHTS_FILE), &weights, &metadata.run)?;
    metadata.architecture.class_indices().write(folder)?;
    let mut description = ModelDescription {
        format: ModelDescription::FORMAT,
        notice: ModelDescription::NOTICE.into(),
        architecture: metadata.architecture.clone(),
        preprocessing: metadata.preprocessing,
        precision: metadata.precision,
        source: ModelSource {
            run: metadata.run.clone(),
            checkpoint: checkpoint_name.to_owned(),
            sha256: checkpoint_sha256,
            epoch: metadata.epoch,
            valid_accuracy: metadata.valid_accuracy,
            valid_loss: metadata.valid_loss,
        },
        training: metadata.training.clone(),
        solved: metadata.solved.clone(),
        epochs: metadata.epochs.clone(),
        digests: ModelDigests {
            data: metadata.data,
            base: metadata.base,
            params: metadata.params,
            weights: weights_sha256,
        },
        seal: None,
    };
    description.seal = Some(seal_of(&description));
    artifact::write_json(&folder.join(ModelDescription::FILE), &description)?;
    Ok(description)
}

/// A model that is ready to predict.
#[derive(Debug)]
pub struct Model {
    network: Network,
    description: ModelDescription,
    classes: ClassIndices,
}

impl Model {
    /// Loads a model folder and checks it: formats, digests, names and shapes of all tensors. The
    /// number format is the one the model was trained in.
    ///
    /// # Errors
    /// When something is missing or has changed, or the device does not exist.
    pub fn load(folder: &Path, device: DeviceChoice) -> Result<Self> {
        let description = ModelDescription::read(folder)?;
        let path = folder.join(ModelDescription::WEIGHTS_FILE);
        let weights = tensors::read::<RunId>(&path)?;
        if weights.sha256 != description.digests.weights {
            let (recorded, found) = (description.digests.weights, weights.sha256);
            return Err(ClassifierError::Changed { path, recorded, found });
        }
        let precision = match description.precision {
            NumberFormat::Fp32 => Precision::Fp32,
            NumberFormat::Bf16 => Precision::Bf16,
        };
        let backend = Backend::choose(device, precision)?;
        let origin = path.display().to_string();
        let network = Network::new(&description.architecture, &weights.tensors, backend, &origin)?;
        let classes = description.architecture.class_indices();
        Ok(Self { network, description, classes })
    }

    /// The same network with other weights, such as shuffled ones, on the same device.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape, or libtorch fails.
    pub fn with_weights(&self, weights: &TensorMap) -> Result<Self> {
        let architecture = &self.description.architecture;
        let network = Network::new(architecture, weights, self.backend(), "the weights given")?;
        Ok(Self { network, description: self.description.clone(), classes: self.classes.clone() })
    }

    /// What the model is and where it came from.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// Class names in output order.
    pub fn classes(&self) -> &ClassIndices {
        &self.classes
    }

    /// Device and number format.
    pub fn backend(&self) -> Backend {
        self.network.backend()
    }

    /// The model's outputs for images, one for each, in their order.
    ///
    /// # Errors
    /// When an image has another size, or libtorch fails.
    pub fn output(&self, input: Input<'_>, batch: BatchSize) -> Result<Vec<ModelOutput>> {
        let _no_grad = tch::no_grad_guard();
        let mut outputs = Vec::new();
        match input {
            Input::Images(images) => {
                for chunk in images.chunks(batch.images(images.len())) {
                    let rows = batch.images(chunk.len());
                    let head_inputs = self.network.filled_activations(chunk, rows)?;
                    outputs.extend(self.outputs(&head_inputs, chunk.len())?);
                }
            }
            Input::Activations(activations) => {
                let length = self.network.activation_length();
                let all = activations.len() / length;
                // Only with the head alone: see `few_threads`.
                let _few_threads = match batch {
                    BatchSize::AsGiven => self.network.few_threads(),
                    BatchSize::Fixed => None,
                };
                for chunk in activations.chunks(batch.images(all) * length) {
                    let images = chunk.len() / length;
                    let mut filled = chunk.to_vec();
                    filled.resize(batch.images(images) * length, 0.0);
                    let shape = [batch.images(images) as i64, length as i64];
                    let filled = self.network.upload(&filled, &shape)?;
                    outputs.extend(self.outputs(&filled, images)?);
                }
            }
        }
        Ok(outputs)
    }

    /// The outputs for the first `images` of the activations.
    fn outputs(&self, activations: &Tensor, images: usize) -> Result<Vec<ModelOutput>> {
        let head_inputs = self.network.head_inputs(activations, Mode::Prediction)?;
        let logits = rows(&self.network.logits(&head_inputs, false)?)?;
        let pooled = rows(&self.network.pooled(&head_inputs)?)?;
        let both = logits.into_iter().zip(pooled).take(images);
        Ok(both.map(|(logits, pooled)| ModelOutput { logits, pooled }).collect())
    }

    /// The places in a preprocessed image that support a class. For a solved head: Grad-CAM of all
    /// cut points that it reads. For any other: of the last maps; with the multi-scale head of old
    /// models only the part of block 5.
    ///
    /// # Errors
    /// When the image has another size, the class does not exist, or libtorch fails.
    pub fn grad_cam(&self, image: &[f32], class: ClassIndex) -> Result<Heatmap> {
        let image = self.network.upload(image, &self.network.image_shape(1))?;
        let map = rows(&self.network.grad_cam(&image, class.0)?)?;
        Ok(Heatmap { side: map.len(), values: map.concat() })
    }
}

/// Images to predict.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Preprocessed images, each `[3, S, S]` as [`imaging::Preprocessing::apply`] makes it.
    Images(&'a [&'a [f32]]),
    /// Activations, one after the other, as a [`crate::features::Extractor`] of the same base
    /// returns them.
    Activations(&'a [f32]),
}

/// How many images go through the network at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// Always [`FORWARD_BATCH`], padded with empty images, so that an output does not depend on the
    /// number of other images.
    Fixed,
    /// All given images in one pass, which is several times faster for a few. The last bits of an
    /// output may depend on how many there are. This is for immediate answers, not for results that
    /// must be reproducible.
    AsGiven,
}

impl BatchSize {
    /// Rows of a pass over this many images.
    fn images(self, given: usize) -> usize {
        match self {
            Self::Fixed => FORWARD_BATCH,
            Self::AsGiven => given.max(1),
        }
    }
}

/// The model's output for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelOutput {
    /// One value per class, in index order.
    pub logits: Vec<f32>,
    /// The mean of each channel of the last maps; VGG16 has 512.
    pub pooled: Vec<f32>,
}

/// How strongly each place of an image supports a class; 0 if it does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// Height and width: for VGG16 a sixteenth of the image's.
    pub side: usize,
    /// Row by row, 0 and above, not scaled.
    pub values: Vec<f32>,
}

/// Probabilities of one row of logits, computed in f64; they add up to 1.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> =
        logits.iter().map(|logit| (f64::from(*logit) - f64::from(largest)).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_is_the_textbook_one_and_survives_large_logits() {
        let probabilities = softmax(&[1000.0, 1000.0 + 3.0_f32.ln()]);
        assert!((probabilities[0] - 0.25).abs() < 1e-4, "{probabilities:?}");
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
