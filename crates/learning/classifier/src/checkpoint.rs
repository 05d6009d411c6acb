//! The result of an epoch: the tensors that training changed, and their metadata.

use std::fmt;
use std::path::{Path, PathBuf};

use artifact::Digest;
use serde::{Deserialize, Serialize};
use solvers::EpochSearch;

use crate::architecture::Architecture;
use crate::backend::NumberFormat;
use crate::solved::Solved;
use crate::tensors::{self, TensorFile, TensorMap};
use crate::{ClassifierError, Result};

/// Identifies a training by everything that affects its result; never by the clock.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// The id of a training whose inputs have this digest.
    pub fn of_inputs(inputs: &Digest) -> Self {
        Self(inputs.short())
    }

    /// The folder of the finished training: `Checkpoint_<run>`.
    pub fn folder_name(&self) -> String {
        format!("{FOLDER_PREFIX}{self}")
    }
}

/// The prefix of the folders of finished trainings.
pub const FOLDER_PREFIX: &str = "Checkpoint_";

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The digests of a finished training's checkpoints, by file name (`checkpoints.json`).
pub type CheckpointDigests = std::collections::BTreeMap<String, Digest>;

/// The name of the file that holds [`CheckpointDigests`].
pub const DIGESTS_FILE: &str = "checkpoints.json";

/// The name of the file that holds an [`EpochRow`] for each epoch.
pub const HISTORY_FILE: &str = "history.csv";

/// The result of an epoch: a row of `history.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRow {
    /// From 1.
    pub epoch: u32,
    /// Step size of this epoch.
    pub learning_rate: f64,
    /// Mean training loss, with class weights and label smoothing, while learning.
    pub train_loss: f64,
    /// Top-1 accuracy on the training images, while learning.
    pub train_accuracy: f64,
    /// Mean cross-entropy on the validation images, after the epoch.
    pub valid_loss: f64,
    /// Top-1 accuracy on the validation images, after the epoch.
    pub valid_accuracy: f64,
}

/// The scores of a checkpoint on the validation images. Undefined scores, such as the AUROC if a
/// class has no image, are null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationScores {
    /// Share of images whose class was predicted.
    pub accuracy: Option<f64>,
    /// Mean recall: every class has the same weight.
    pub balanced_accuracy: Option<f64>,
    /// Mean F1 of the classes.
    pub macro_f1: Option<f64>,
    /// One-against-rest AUROC, mean over the classes.
    pub auroc: Option<f64>,
    /// One-against-rest average precision, mean over the classes.
    pub average_precision: Option<f64>,
    /// Mean cross-entropy of the probabilities before any calibration.
    pub loss: Option<f64>,
}

/// The metadata of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointMetadata {
    /// Version of the format.
    pub format: u32,
    /// The training it comes from.
    pub run: RunId,
    /// The epoch, from 1.
    pub epoch: u32,
    /// Top-1 accuracy on the validation split.
    pub valid_accuracy: f64,
    /// Mean cross-entropy on the validation split.
    pub valid_loss: f64,
    /// All its scores on the validation split.
    pub validation: ValidationScores,
    /// How its head was solved; none if it learnt by epochs.
    pub solved: Option<Solved>,
    /// The cross-validation that decided after how many epochs to stop; none if it was not
    /// requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<EpochSearch>,
    /// The network.
    pub architecture: Architecture,
    /// How pixels become numbers.
    pub preprocessing: imaging::Preprocessing,
    /// Number format of the convolutions.
    pub precision: NumberFormat,
    /// Digest of the manifest it was trained on.
    pub data: Digest,
    /// Digest of `base_model.safetensors`.
    pub base: Digest,
    /// Digest of the parameters it was trained with.
    pub params: Digest,
    /// The parameters themselves.
    pub training: config::TrainParams,
}

impl CheckpointMetadata {
    /// The format this version writes and reads.
    pub const FORMAT: u32 = 4;
}

/// The file name of an epoch: `model_e{epoch}_acc{acc:.4}_vacc{vacc:.4}.safetensors`, both top-1
/// accuracies in [0, 1].
pub fn file_name(epoch: u32, train_accuracy: f64, valid_accuracy: f64) -> String {
    format!("model_e{epoch}_acc{train_accuracy:.4}_vacc{valid_accuracy:.4}.safetensors")
}

/// Writes a checkpoint and returns its digest.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, tensors: &TensorMap, metadata: &CheckpointMetadata) -> Result<Digest> {
    tensors::write(path, tensors, metadata)
}

/// Reads a checkpoint and checks its tensors against its architecture.
///
/// # Errors
/// When it is missing, truncated, of another format, or its tensors do not fit.
pub fn read(path: &Path) -> Result<TensorFile<CheckpointMetadata>> {
    let file: TensorFile<CheckpointMetadata> = tensors::read(path)?;
    let metadata = &file.metadata;
    check_format(path, metadata)?;
    let specs = metadata.architecture.checkpoint_specs();
    tensors::check(&file.tensors, &specs, &path.display().to_string())?;
    Ok(file)
}

/// Reads the metadata of a checkpoint, without its tensors.
///
/// # Errors
/// When it is missing, its header is damaged, or it is of another format.
pub fn read_metadata(path: &Path) -> Result<CheckpointMetadata> {
    let metadata = tensors::read_header(path)?;
    check_format(path, &metadata)?;
    Ok(metadata)
}

fn check_format(path: &Path, metadata: &CheckpointMetadata) -> Result<()> {
    if metadata.format != CheckpointMetadata::FORMAT {
        return Err(ClassifierError::Format {
            path: path.to_path_buf(),
            found: metadata.format,
            known: CheckpointMetadata::FORMAT,
        });
    }
    Ok(())
}

/// The finished trainings in a folder, sorted by name.
///
/// # Errors
/// When the folder cannot be listed.
pub fn folders(model_training: &Path) -> Result<Vec<PathBuf>> {
    use artifact::WithPath;
    let entries = std::fs::read_dir(model_training).with_path("list", model_training)?;
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.with_path("list", model_training)?;
        let is_finished = entry.file_name().to_string_lossy().starts_with(FOLDER_PREFIX);
        let is_whole = !artifact::is_temporary(&entry.file_name().to_string_lossy());
        if is_finished && is_whole && entry.path().is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_carry_four_digits() {
        assert_eq!(file_name(7, 0.98765, 1.0), "model_e7_acc0.9877_vacc1.0000.safetensors");
    }

    #[test]
    fn only_whole_checkpoint_folders_are_listed() {
        let root = tempfile::tempdir().unwrap();
        for name in ["Checkpoint_b", "Checkpoint_a", "Checkpoint_c.writing-1-0", "other"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let names: Vec<_> = folders(root.path())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["Checkpoint_a", "Checkpoint_b"]);
    }
}
