//! Where the bytes of a row's image come from.

use std::path::{Path, PathBuf};

use anyhow::Result;
use artifact::WithPath;

use crate::offline::outcome::Unusable;

/// A file that gets a row.
pub(crate) trait Source: Sync {
    /// Where it is.
    fn path(&self) -> &Path;

    /// Its bytes, or why the row has none.
    ///
    /// # Errors
    /// When there must be no row at all.
    fn read(&self) -> Result<Result<Vec<u8>, Unusable>>;
}

impl Source for PathBuf {
    fn path(&self) -> &Path {
        self
    }

    fn read(&self) -> Result<Result<Vec<u8>, Unusable>> {
        Ok(std::fs::read(self).with_path("read", self).map_err(Unusable::unreadable))
    }
}
