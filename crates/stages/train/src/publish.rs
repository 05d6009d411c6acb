//! The finished run: `Checkpoint_<run>`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use artifact::{Digest, StagedFolder, WithPath};
use classifier::checkpoint::{CheckpointDigests, DIGESTS_FILE, HISTORY_FILE, RunId};

use crate::inputs::Inputs;
use crate::work::WorkFolder;

/// The inputs of the result: [`RunInputs`](crate::RunInputs).
pub(crate) const PARAMS_FILE: &str = "params_used.json";

/// Whether the run was published before and all its checkpoints are unchanged.
pub(crate) fn is_published(model_training: &Path, run: &RunId) -> bool {
    let folder = model_training.join(run.folder_name());
    let Ok(digests) = artifact::read_json::<CheckpointDigests>(&folder.join(DIGESTS_FILE)) else {
        return false;
    };
    !digests.is_empty()
        && digests.iter().all(|(name, recorded)| {
            Digest::of_file(&folder.join(name)).is_ok_and(|found| found == *recorded)
        })
}

/// Copies the checkpoints and their descriptions into `Checkpoint_<run>`, in one rename.
pub(crate) fn publish(
    work: &WorkFolder,
    inputs: &Inputs,
    model_training: &Path,
) -> Result<PathBuf> {
    let target = model_training.join(inputs.run.id().folder_name());
    let staged = StagedFolder::beside(&target)?;
    for name in work.checkpoints().keys() {
        let (from, to) = (work.path_of(name), staged.path().join(name));
        std::fs::copy(&from, &to).with_path("copy a checkpoint to", &to)?;
    }
    inputs.base.architecture.class_indices().write(staged.path())?;
    artifact::write_json(&staged.path().join(PARAMS_FILE), &inputs.run)?;
    artifact::write_file(&staged.path().join(HISTORY_FILE), &work.history().to_csv()?)?;
    artifact::write_json(&staged.path().join(DIGESTS_FILE), work.checkpoints())?;
    staged.publish()?;
    Ok(target)
}
