use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{IoError, Result, WithPath};

/// Marks a file or folder that is being written; see [`crate::remove_stale_temporaries`].
pub(crate) const TEMPORARY_MARK: &str = ".writing-";

/// A name beside `path` that no other process and no other call uses.
pub(crate) fn temporary_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!("{name}{TEMPORARY_MARK}{}-{count}", process::id()))
}

/// Makes a folder and those above it; a folder that is already there is fine.
///
/// # Errors
/// When the folder cannot be made.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_path("create folder", path)
}

/// Reads a whole file.
///
/// # Errors
/// When it cannot be read.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_path("read", path)
}

/// Reads a whole UTF-8 file.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_path("read", path)
}

/// Writes a file through `fill`: to a temporary name in the same folder, synced, then renamed. A
/// reader of `path` always finds either the old file or the new one.
///
/// # Errors
/// When the folder or file cannot be written, or `fill` fails; the temporary file is removed.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    write_through(path, |writer| fill(writer).with_path("write", path))
}

/// Like [`write_with`], for a `fill` that has its own error type and returns a value.
///
/// # Errors
/// As for [`write_with`].
pub fn write_through<T, E: From<IoError>>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder)?;
    }
    let temporary = temporary_beside(path);
    let written = write_and_sync(&temporary, path, fill).and_then(|filled| {
        fs::rename(&temporary, path).with_path("rename a finished file to", path)?;
        sync_folder_of(path)?;
        Ok(filled)
    });
    if written.is_err() {
        // Only the error that is about to be reported matters.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Writes bytes; see [`write_with`].
///
/// # Errors
/// When the folder or file cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |writer| writer.write_all(bytes))
}

/// Writes a value as indented JSON with a closing newline; see [`write_with`].
///
/// # Errors
/// When the folder or file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write_with(path, |writer| {
        serde_json::to_writer_pretty(&mut *writer, value)?;
        writer.write_all(b"\n")
    })
}

/// Reads a JSON file into a typed value.
///
/// # Errors
/// When it cannot be read or does not fit the type; the error names the place in the file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&read_bytes(path)?)
        .map_err(|source| IoError::Json { path: path.to_path_buf(), source })
}

/// Writes the content for `path` to `temporary`.
fn write_and_sync<T, E: From<IoError>>(
    temporary: &Path,
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let file = OpenOptions::new().write(true).create_new(true).open(temporary);
    let mut writer = BufWriter::new(file.with_path("write", path)?);
    let filled = fill(&mut writer)?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error);
    file.and_then(|file| file.sync_all()).with_path("write", path)?;
    Ok(filled)
}

/// Makes a rename survive a power cut.
pub(crate) fn sync_folder_of(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|handle| handle.sync_all()).with_path("sync folder", folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.json");
        write_file(&path, b"old").unwrap();
        let failed = write_with(&path, |writer| {
            writer.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.unwrap_err().to_string().contains("scores.json"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn write_makes_the_folders_above() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c.json");
        write_json(&path, &vec![1, 2]).unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), [1, 2]);
    }

    #[test]
    fn json_of_the_wrong_shape_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.json");
        write_file(&path, b"{\n  \"a\": ?\n}").unwrap();
        let message = read_json::<serde_json::Value>(&path).unwrap_err().to_string();
        assert!(message.contains("model.json") && message.contains("line 2"), "{message}");
    }
}
