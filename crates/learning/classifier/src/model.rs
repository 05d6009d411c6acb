//! The selected model, or several that answer as one: `model/trained_model.safetensors`,
//! `class_indices.json`, `model.json`.

use std::path::Path;

use artifact::Digest;
use config::DeviceChoice;
use dataset::{ClassIndex, ClassIndices};
use tch::Tensor;

use crate::backend::{Backend, FORWARD_BATCH};
use crate::checkpoint::{CheckpointMetadata, RunId};
use crate::description::{ModelDescription, ModelDigests, ModelSource};
use crate::model_input::ModelInput;
use crate::seal::seal_of;
use crate::tensors::{self, TensorMap};
use crate::{ClassifierError, Result};

mod average;
mod part;

use self::average::{Said, average, shares_of_class, sum_of_maps};
use self::part::Part;

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
        ensemble: Vec::new(),
        seal: None,
    };
    description.seal = Some(seal_of(&description));
    artifact::write_json(&folder.join(ModelDescription::FILE), &description)?;
    Ok(description)
}

/// A model that is ready to predict: one network, or those of an ensemble.
#[derive(Debug)]
pub struct Model {
    parts: Vec<Part>,
    input: ModelInput,
    description: ModelDescription,
    classes: ClassIndices,
    device: DeviceChoice,
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
        let origin = path.display().to_string();
        Self::of(description, &weights.tensors, device, &origin)
    }

    fn of(
        description: ModelDescription,
        weights: &TensorMap,
        device: DeviceChoice,
        origin: &str,
    ) -> Result<Self> {
        let parts = Part::all(&description, weights, device, origin)?;
        let classes = description.architecture.class_indices();
        Ok(Self { parts, input: description.input(), description, classes, device })
    }

    /// The same networks with other weights, such as shuffled ones, on the same device. The tensors
    /// have the names that they have in the model's file.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape, or libtorch fails.
    pub fn with_weights(&self, weights: &TensorMap) -> Result<Self> {
        Self::of(self.description.clone(), weights, self.device, "the weights given")
    }

    /// What the model is and where it came from.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// Whether it is one network, not an ensemble.
    pub fn is_single(&self) -> bool {
        self.description.ensemble.is_empty()
    }

    /// What the model sees of a picture.
    pub fn input(&self) -> &ModelInput {
        &self.input
    }

    /// Class names in output order.
    pub fn classes(&self) -> &ClassIndices {
        &self.classes
    }

    /// Device and number format; of an ensemble those of its first member.
    pub fn backend(&self) -> Backend {
        self.parts[0].network.backend()
    }

    /// The model's outputs for images, one for each, in their order.
    ///
    /// # Errors
    /// When an image has another size, activations are given to an ensemble, or libtorch fails.
    pub fn output(&self, input: Input<'_>, batch: BatchSize) -> Result<Vec<ModelOutput>> {
        let _no_grad = tch::no_grad_guard();
        match input {
            Input::Images(images) => {
                let mut outputs = Vec::with_capacity(images.len());
                for chunk in images.chunks(batch.images(images.len())) {
                    outputs.extend(self.seen(chunk, batch.images(chunk.len()))?);
                }
                Ok(outputs)
            }
            Input::Activations(activations) => match &self.parts[..] {
                [one] => from_activations(one, activations, batch),
                all => Err(ClassifierError::ActivationsOfMany { members: all.len() }),
            },
        }
    }

    /// The outputs for images that go through the networks at once, in batches of `rows`.
    fn seen(&self, images: &[&[f32]], rows: usize) -> Result<Vec<ModelOutput>> {
        let mut said = self.said(images, rows)?;
        if let [one] = &mut said[..] {
            return Ok(std::mem::take(one).into_iter().map(|said| said.output).collect());
        }
        let of_image = |image: usize| -> Vec<Said> {
            said.iter().map(|of_part| of_part[image].clone()).collect()
        };
        Ok((0..images.len()).filter_map(|image| average(&of_image(image))).collect())
    }

    fn check_size(&self, image: &[f32]) -> Result<()> {
        let (expected, found) = (self.input.values(), image.len());
        if found == expected { Ok(()) } else { Err(ClassifierError::InputSize { expected, found }) }
    }

    /// What each network says about each image.
    fn said(&self, images: &[&[f32]], rows: usize) -> Result<Vec<Vec<Said>>> {
        images.iter().try_for_each(|image| self.check_size(image))?;
        let mut activations: Vec<Tensor> = Vec::with_capacity(self.parts.len());
        let mut said = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let own = match part.activations_of {
                Some(earlier) => activations[earlier].shallow_clone(),
                None => {
                    let range = self.input.range(part.image);
                    let own: Vec<&[f32]> =
                        images.iter().map(|image| &image[range.clone()]).collect();
                    part.network.filled_activations(&own, rows)?
                }
            };
            let outputs = part.outputs(&own, images.len())?.into_iter();
            let (weight, temperature) = (part.weight, part.temperature);
            said.push(outputs.map(|output| Said { output, weight, temperature }).collect());
            activations.push(own);
        }
        Ok(said)
    }

    /// The places in a preprocessed image that support a class. For a solved head: Grad-CAM of all
    /// cut points that it reads. For any other: of the last maps; with the multi-scale head of old
    /// models only the part of block 5. For an ensemble: the sum of its members' maps, each by how
    /// much the ensemble's answer follows it.
    ///
    /// # Errors
    /// When the image has another size, the class does not exist, or libtorch fails.
    pub fn grad_cam(&self, image: &[f32], class: ClassIndex) -> Result<Heatmap> {
        self.check_size(image)?;
        let map_of = |part: &Part| {
            let base = part.activations_of.map_or(part, |earlier| &self.parts[earlier]);
            part.grad_cam(&base.network, &image[self.input.range(part.image)], class.0)
        };
        if let [one] = &self.parts[..] {
            return map_of(one);
        }
        let said: Vec<Said> =
            tch::no_grad(|| self.said(&[image], 1))?.into_iter().flatten().collect();
        let maps: Vec<Heatmap> = self.parts.iter().map(map_of).collect::<Result<_>>()?;
        let shares = shares_of_class(&said, class.0);
        Ok(sum_of_maps(&maps, &shares).expect("a model has a network"))
    }
}

/// The outputs for activations, one after the other.
fn from_activations(
    part: &Part,
    activations: &[f32],
    batch: BatchSize,
) -> Result<Vec<ModelOutput>> {
    let length = part.network.activation_length();
    let all = activations.len() / length;
    // Only with the head alone: see `few_threads`.
    let _few_threads = match batch {
        BatchSize::AsGiven => part.network.few_threads(),
        BatchSize::Fixed => None,
    };
    let mut outputs = Vec::with_capacity(all);
    for chunk in activations.chunks(batch.images(all) * length) {
        let images = chunk.len() / length;
        let mut filled = chunk.to_vec();
        filled.resize(batch.images(images) * length, 0.0);
        let shape = [batch.images(images) as i64, length as i64];
        let filled = part.network.upload(&filled, &shape)?;
        outputs.extend(part.outputs(&filled, images)?);
    }
    Ok(outputs)
}

/// Images to predict.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Preprocessed images, each as [`ModelInput::apply`] makes it.
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
