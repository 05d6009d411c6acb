use std::path::Path;

use artifact::Digest;
use classifier::checkpoint::{self, CheckpointMetadata};

use crate::error::SelectError;
use crate::history::History;
use crate::pattern::{CheckpointPattern, PatternError};
use crate::ranking::Candidate;
use crate::runs::RunFolder;

/// A larger difference between the number in a file name and the accuracy in the file is not
/// explained by rounding to four digits.
const ROUNDING: f64 = 1e-4;

/// The checkpoints whose names match the pattern, with the accuracy that each records in its
/// metadata (with all digits), loss and epoch.
///
/// # Errors
/// When no name matches, a name matches but has no number in place of the accuracy, or a checkpoint
/// or the curves of its run cannot be read.
pub(crate) fn candidates(
    runs: &[RunFolder],
    pattern: &CheckpointPattern,
) -> Result<Vec<Candidate>, SelectError> {
    let mut candidates = Vec::new();
    let mut unfit = Vec::new();
    for run in runs {
        let history = History::read(&run.path)?;
        for file_name in &run.checkpoints {
            let Some(captured) = pattern.validation_accuracy(file_name)? else {
                unfit.push(file_name.as_str());
                continue;
            };
            let path = run.path.join(file_name);
            let metadata = checkpoint::read_metadata(&path)?;
            if candidates.is_empty() {
                warn_of_another_number(pattern, captured, file_name, &metadata);
            }
            candidates.push(Candidate {
                folder: run.name.clone(),
                file_name: file_name.clone(),
                path,
                validation_accuracy: metadata.valid_accuracy,
                validation_loss: history.epoch(metadata.epoch)?.valid_loss,
                epoch: metadata.epoch,
            });
        }
    }
    if let [first, ..] = unfit[..] {
        if candidates.is_empty() {
            return Err(PatternError::no_match(pattern, first).into());
        }
        tracing::info!("passing over {} names that do not fit, such as {first}", unfit.len());
    }
    Ok(candidates)
}

/// The checkpoint that the user named, with the accuracy it records.
///
/// # Errors
/// When it cannot be read, or was trained on other data.
pub(crate) fn named(path: &Path, data: Digest) -> Result<Candidate, SelectError> {
    let metadata = checkpoint::read_metadata(path)?;
    if metadata.data != data {
        return Err(SelectError::NamedOtherData {
            path: path.to_path_buf(),
            found: metadata.data,
            present: data,
        });
    }
    Ok(Candidate {
        folder: metadata.run.folder_name(),
        file_name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        path: path.to_path_buf(),
        validation_accuracy: metadata.valid_accuracy,
        validation_loss: metadata.valid_loss,
        epoch: metadata.epoch,
    })
}

fn warn_of_another_number(
    pattern: &CheckpointPattern,
    captured: f64,
    file_name: &str,
    metadata: &CheckpointMetadata,
) {
    if (captured - metadata.valid_accuracy).abs() > ROUNDING {
        tracing::warn!(
            "the capture group of '{}' holds {captured} in {file_name}; that is not its validation \
             accuracy, {:.4}, which is recorded in the file and by which checkpoints are ranked",
            pattern.as_str(),
            metadata.valid_accuracy
        );
    }
}
