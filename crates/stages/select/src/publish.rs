use std::path::Path;

use artifact::Digest;
use classifier::ClassifierError;
use classifier::architecture::BaseDescription;
use classifier::checkpoint::{
    self, CheckpointDigests, CheckpointMetadata, DIGESTS_FILE, HISTORY_FILE,
};
use classifier::description::ModelDescription;
use classifier::tensors::{self, TensorFile, TensorMap};
use classifier::{model, model_folder};

use crate::error::SelectError;
use crate::metrics::Metrics;
use crate::ranking::Candidate;

/// Writes the model folder: the checkpoint on its base, class indices, description, metrics, and
/// the curves of its run, so that `evaluate` needs only this folder.
///
/// # Errors
/// When the checkpoint or the base is not the recorded file, they do not belong together, or the
/// folder cannot be written; it is then unchanged.
pub(crate) fn publish(
    candidate: &Candidate,
    base_folder: &Path,
    model_folder: &Path,
) -> Result<ModelDescription, SelectError> {
    let run_folder = candidate.path.parent().unwrap_or(Path::new("."));
    let checkpoint = read_recorded(candidate, run_folder)?;
    let base = read_base(&checkpoint.metadata, &candidate.path, base_folder)?;

    let staged = model_folder::staged_in_place_of(model_folder)?;
    let description = model::write(
        staged.path(),
        base,
        checkpoint.tensors,
        &checkpoint.metadata,
        (&candidate.file_name, checkpoint.sha256),
    )?;
    let metrics = Metrics::of(&checkpoint.metadata);
    artifact::write_json(&staged.path().join(ModelDescription::METRICS_FILE), &metrics)?;
    let history = artifact::read_bytes(&run_folder.join(HISTORY_FILE))?;
    artifact::write_file(&staged.path().join(HISTORY_FILE), &history)?;
    staged.publish()?;
    Ok(description)
}

/// Reads the checkpoint, and checks its digest against the recorded one.
fn read_recorded(
    candidate: &Candidate,
    run_folder: &Path,
) -> Result<TensorFile<CheckpointMetadata>, SelectError> {
    let path = &candidate.path;
    let digests: CheckpointDigests = artifact::read_json(&run_folder.join(DIGESTS_FILE))?;
    let recorded = digests
        .get(&candidate.file_name)
        .ok_or_else(|| SelectError::Unrecorded { path: path.clone() })?;
    require_digest(path, *recorded)?;
    Ok(checkpoint::read(path)?)
}

fn read_base(
    checkpoint: &CheckpointMetadata,
    checkpoint_path: &Path,
    folder: &Path,
) -> Result<TensorMap, SelectError> {
    let description = BaseDescription::read(folder)?;
    if checkpoint.base != description.base_sha256 {
        return Err(SelectError::OtherBase {
            path: checkpoint_path.to_path_buf(),
            base: folder.to_path_buf(),
            recorded: checkpoint.base,
            present: description.base_sha256,
        });
    }
    let path = folder.join(BaseDescription::BASE_FILE);
    require_digest(&path, description.base_sha256)?;
    Ok(tensors::read_foreign(&path)?)
}

fn require_digest(path: &Path, recorded: Digest) -> Result<(), SelectError> {
    let found = Digest::of_file(path)?;
    if found == recorded {
        return Ok(());
    }
    Err(ClassifierError::Changed { path: path.to_path_buf(), recorded, found }.into())
}
