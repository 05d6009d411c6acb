//! Digests that descriptions of a model keep of themselves, so that a change is noticed.

use std::path::Path;

use artifact::Digest;
use serde::Serialize;

use crate::{ClassifierError, Result};

/// The digest of a description without its seal.
pub(crate) fn seal_of(description: &impl Serialize) -> Digest {
    // Nothing of ours has keys that are not text, the one thing that cannot be written.
    Digest::of(&serde_json::to_vec(description).expect("a description can be written as JSON"))
}

/// What was recorded when it was written is what is there. Descriptions of earlier versions have
/// nothing recorded.
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
