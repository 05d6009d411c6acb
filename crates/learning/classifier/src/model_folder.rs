//! The folder of a model, as a whole.

use std::path::Path;

use artifact::StagedFolder;

use crate::calibration::Calibration;
use crate::description::ModelDescription;
use crate::registered::Registered;

/// A folder that replaces a model folder once it is complete.
///
/// # Errors
/// When the model folder holds something other than a model, or the folder cannot be made.
pub fn staged_in_place_of(model_folder: &Path) -> artifact::Result<StagedFolder> {
    // DVC removes the outputs of select before it runs it, and leaves files that calibrate or a
    // registry added.
    let own_files = [ModelDescription::FILE, Calibration::FILE, Registered::FILE];
    StagedFolder::in_place_of(model_folder, &own_files)
}
