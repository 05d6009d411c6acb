//! A model that did not pass, or was rolled back: it is in the model folder, and is not served.

use std::path::{Path, PathBuf};

use artifact::Digest;
use classifier::description::ModelDescription;
use serde::{Deserialize, Serialize};

const FILE: &str = "refused.json";

/// `refused.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The weights in the model folder that must not be served.
    weights: Digest,
    /// The model folder that is served in its place.
    instead: PathBuf,
    /// The reason.
    reason: String,
}

/// From now on `instead` is served in place of the model with these weights.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn refuse(
    folder: &Path,
    weights: Digest,
    instead: &Path,
    reason: &str,
) -> artifact::Result<()> {
    let refused = Refused { weights, instead: instead.to_owned(), reason: reason.to_owned() };
    artifact::write_json(&folder.join(FILE), &refused)
}

/// Allows the model folder to be served again, whatever its model.
///
/// # Errors
/// When the file exists and cannot be removed.
pub(crate) fn allow(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(folder.join(FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folder to serve: `model`, unless its model was refused.
pub(crate) fn model_to_serve(folder: &Path, model: &Path) -> PathBuf {
    let refused: Option<Refused> = artifact::read_json(&folder.join(FILE)).ok();
    let Some(refused) = refused else { return model.to_owned() };
    let is_refused = ModelDescription::read(model)
        .is_ok_and(|description| description.digests.weights == refused.weights);
    if !is_refused || !refused.instead.join(ModelDescription::FILE).exists() {
        return model.to_owned();
    }
    tracing::warn!(
        "the model in {} is not served: {}; {} is, in its place",
        model.display(),
        refused.reason,
        refused.instead.display()
    );
    refused.instead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_refusal_the_model_folder_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        assert_eq!(model_to_serve(folder.path(), &model), model);
        refuse(folder.path(), Digest::of(b"other"), &folder.path().join("before"), "no").unwrap();
        assert_eq!(model_to_serve(folder.path(), &model), model, "it is of another model");
        allow(folder.path()).unwrap();
        allow(folder.path()).unwrap();
    }
}
