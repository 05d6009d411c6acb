//! The folder that a model is kept in, as a whole.

use std::path::Path;

use artifact::StagedFolder;

use crate::calibration::Calibration;
use crate::description::ModelDescription;
use crate::registered::Registered;

/// A folder that takes the place of a model folder once it is whole.
///
/// # Errors
/// When the model folder holds something that is no model, or the folder cannot be made.
pub fn staged_in_place_of(model_folder: &Path) -> artifact::Result<StagedFolder> {
    // DVC removes what select made before it runs it, and leaves what calibrate or a registry added.
    let own_files = [ModelDescription::FILE, Calibration::FILE, Registered::FILE];
    StagedFolder::in_place_of(model_folder, &own_files)
}
