//! Digests that descriptions of a model hold of themselves, so that a change is noticed.

use std::path::Path;

use artifact::Digest;
use serde::Serialize;

use crate::{ClassifierError, Result};

/// The digest of a description without its seal.
pub(crate) fn seal_of(description: &impl Serialize) -> Digest {
    // All our keys are text; other keys are the only thing that cannot be written.
    Digest::of(&serde_json::to_vec(description).expect("a description can be written as JSON"))
}

/// Checks that the digest recorded at writing matches the content. Descriptions of earlier versions
/// have no digest.
pub(crate) fn check_seal(
    path: &Path,
    recorded: Option<Digest>,
    unsealed: &impl Serialize,
) -> Result<()> {
    let Some(recorded) = recorded else { return Ok(()) };
    let found = seal_of(unsealed);
    if found == recorded {
        return Ok(());
    }
    Err(ClassifierError::Changed { path: path.to_owned(), recorded, found })
}
