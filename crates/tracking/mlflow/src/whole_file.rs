use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::Result;
use crate::error::WithPath;

/// Writes a file under a temporary name in its folder, syncs it, and renames it: whoever looks
/// finds the old file or the new one. Makes the folders above.
pub(crate) fn write<T>(to: &Path, fill: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_path("create folder", folder)?;
    let mut temporary = tempfile::Builder::new()
        // What files usually get; temporary ones are for their owner's eyes otherwise.
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .with_path("create a file in", folder)?;
    let filled = fill(temporary.as_file_mut())?;
    temporary.as_file().sync_all().with_path("write", to)?;
    temporary
        .persist(to)
        .map_err(|error| error.error)
        .with_path("rename a finished file to", to)?;
    Ok(filled)
}
