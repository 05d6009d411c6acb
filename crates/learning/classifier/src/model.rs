//! The selected model: `model/trained_model.safetensors`, `class_indices.json`, `model.json`.

use std::path::Path;

use artifact::{Digest, StagedFolder};
use config::{DeviceChoice, Precision, TrainParams};
use dataset::{ClassIndex, ClassIndices};
use imaging::Preprocessing;
use serde::{Deserialize, Serialize};
use solvers::EpochSearch;
use tch::Tensor;

use crate::architecture::Architecture;
use crate::backend::{Backend, FORWARD_BATCH, NumberFormat};
use crate::calibration::Calibration;
use crate::checkpoint::{CheckpointMetadata, RunId};
use crate::model::before::of_format_2;
use crate::network::{Network, rows};
use crate::registered::Registered;
use crate::solved::Solved;
use crate::tensors::{self, TensorMap};
use crate::{ClassifierError, Result};

mod before;
pub(crate) mod trust;

/// `model.json`: everything that is needed to use the model, and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescription {
    /// Version of this file's format.
    pub format: u32,
    /// What the model must not be used for.
    pub notice: String,
    /// The network.
    pub architecture: Architecture,
    /// How pixels become numbers.
    pub preprocessing: Preprocessing,
    /// Number format of the convolutions.
    pub precision: NumberFormat,
    /// The checkpoint it was made from.
    pub source: ModelSource,
    /// How it was trained.
    pub training: TrainParams,
    /// How its head was solved; none where it learnt by epochs.
    pub solved: Option<Solved>,
    /// The cross-validation that said after how many epochs to stop; none where none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<EpochSearch>,
    /// Digests of what it was made from, and of its weights.
    pub digests: ModelDigests,
    /// Digest of all of the above, so that a change is noticed; none in models of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Digest>,
}

/// The checkpoint that became the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSource {
    /// The training.
    pub run: RunId,
    /// The file's name in `Checkpoint_<run>`.
    pub checkpoint: String,
    /// The digest of that file.
    pub sha256: Digest,
    /// The epoch, from 1.
    pub epoch: u32,
    /// Top-1 accuracy on the validation split.
    pub valid_accuracy: f64,
    /// Mean cross-entropy on the validation split.
    pub valid_loss: f64,
}

/// Digests of what the model was made from, and of its weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDigests {
    /// The manifest of the images.
    pub data: Digest,
    /// `base_model.safetensors`.
    pub base: Digest,
    /// The parameters of the training.
    pub params: Digest,
    /// `trained_model.safetensors`.
    pub weights: Digest,
}

impl ModelDescription {
    /// The format this version writes and reads.
    pub const FORMAT: u32 = 3;
    /// The description's file name.
    pub const FILE: &str = "model.json";
    /// What `select` says of it, for experiments to be ranked by: a file of the model folder.
    pub const METRICS_FILE: &str = "metrics.json";
    /// The weights' file name.
    pub const WEIGHTS_FILE: &str = "trained_model.safetensors";
    /// What every model says of itself.
    pub const NOTICE: &str = "Research use only. Not a medical device.";

    /// Reads `model.json`, of this format or the one before.
    ///
    /// # Errors
    /// When it is missing, not as expected, was changed, or of another format.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let found: serde_json::Value = artifact::read_json(&path)?;
        let format = found["format"].as_u64().unwrap_or_default();
        let of_this_format = match format {
            2 => of_format_2(found),
            _ if format == u64::from(Self::FORMAT) => found,
            _ => {
                let found = u32::try_from(format).unwrap_or(u32::MAX);
                return Err(ClassifierError::Format { path, found, known: Self::FORMAT });
            }
        };
        let description = serde_json::from_value(of_this_format)
            .map_err(|error| ClassifierError::Description { path, reason: error.to_string() })?;
        trust::check_description(folder, &description)?;
        Ok(description)
    }
}

/// A folder that takes the place of a model folder once it is whole.
///
/// # Errors
/// When the model folder holds something that is no model, or the folder cannot be made.
pub fn staged_in_place_of(model_folder: &Path) -> artifact::Result<StagedFolder> {
    // DVC removes what select made before it runs it, and leaves what calibrate or a registry added.
    let own_files = [ModelDescription::FILE, Calibration::FILE, Registered::FILE];
    StagedFolder::in_place_of(model_folder, &own_files)
}

/// Writes a model folder: the base's tensors and the checkpoint's in one file, the class indices,
/// the description.
///
/// `base` are the tensors of `base_model.safetensors`; those that the checkpoint holds too are
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
    description.seal = Some(trust::seal_of(&description));
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
    /// When something is missing or has changed, or the device is not there.
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
    /// When a tensor is missing or of another shape, or libtorch refuses.
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

    /// What the model says of images: one output for each, in their order.
    ///
    /// # Errors
    /// When an image has another size, or libtorch refuses.
    pub fn output(&self, input: Input<'_>, batch: BatchSize) -> Result<Vec<ModelOutput>> {
        let _no_grad = tch::no_grad_guard();
        let mut outputs = Vec::new();
        match input {
            Input::Images(images) => {
                for chunk in images.chunks(batch.images(images.len())) {
                    let rows = batch.images(chunk.len());
                    let head_inputs = self.network.filled_records(chunk, rows)?;
                    outputs.extend(self.outputs(&head_inputs, chunk.len())?);
                }
            }
            Input::Records(records) => {
                let length = self.network.record_length();
                let all = records.len() / length;
                // Alone with the head: see `few_threads`.
                let _few_threads = match batch {
                    BatchSize::AsGiven => self.network.few_threads(),
                    BatchSize::Fixed => None,
                };
                for chunk in records.chunks(batch.images(all) * length) {
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

    /// The outputs for the first so many of some records.
    fn outputs(&self, records: &Tensor, images: usize) -> Result<Vec<ModelOutput>> {
        let head_inputs = self.network.head_inputs(records)?;
        let logits = rows(&self.network.logits(&head_inputs, false)?)?;
        let pooled = rows(&self.network.pooled(&head_inputs)?)?;
        let both = logits.into_iter().zip(pooled).take(images);
        Ok(both.map(|(logits, pooled)| ModelOutput { logits, pooled }).collect())
    }

    /// Where in a preprocessed image the model finds what speaks for a class. For a solved head:
    /// Grad-CAM of all cut points that it reads. For any other: of the last convolution; with the
    /// multi-scale head of old models that is the part of block 5 only.
    ///
    /// # Errors
    /// When the image has another size, the class does not exist, or libtorch refuses.
    pub fn grad_cam(&self, image: &[f32], class: ClassIndex) -> Result<Heatmap> {
        let image = self.network.upload(image, &self.network.image_shape(1))?;
        let map = rows(&self.network.grad_cam(&image, class.0)?)?;
        Ok(Heatmap { side: map.len(), values: map.concat() })
    }
}

/// Images that a model is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Preprocessed images, each `[3, S, S]` as [`Preprocessing::apply`] makes it.
    Images(&'a [&'a [f32]]),
    /// Records, one after the other, as a [`crate::features::Extractor`] of the same base makes them.
    Records(&'a [f32]),
}

/// How many images go through the network at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// Always [`FORWARD_BATCH`], filled up with empty images, so that an output does not depend on
    /// how many others were asked for.
    Fixed,
    /// All that are given, in one pass, which is several times faster for a few. The last bits of an
    /// output may depend on how many there are: for answering at once, not for what must be the same
    /// again.
    AsGiven,
}

impl BatchSize {
    /// Rows of a pass over so many images.
    fn images(self, given: usize) -> usize {
        match self {
            Self::Fixed => FORWARD_BATCH,
            Self::AsGiven => given.max(1),
        }
    }
}

/// What a model says of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelOutput {
    /// One value per class, in index order.
    pub logits: Vec<f32>,
    /// The mean of each of the last block's 512 channels.
    pub pooled: Vec<f32>,
}

/// How much each place of an image speaks for a class; 0 where nothing does.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// Height and width: a sixteenth of the image's.
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
