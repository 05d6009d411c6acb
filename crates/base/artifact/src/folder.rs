use std::fs;
use std::path::{Path, PathBuf};

use crate::file::{TEMPORARY_MARK, sync_folder_of, temporary_beside};
use crate::{IoError, Result, WithPath, create_folder};

/// A folder that is filled under a temporary name and gets its own name when
/// [`publish`](Self::publish) is called. If it is dropped before that, it is removed.
#[derive(Debug)]
pub struct StagedFolder {
    temporary: PathBuf,
    target: PathBuf,
    published: bool,
}

impl StagedFolder {
    /// Starts an empty folder beside `target`, and removes what killed runs left there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn beside(target: &Path) -> Result<Self> {
        if let Some(parent) = target.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            create_folder(parent)?;
        }
        remove_stale_temporaries(target)?;
        let temporary = temporary_beside(target);
        create_folder(&temporary)?;
        Ok(Self { temporary, target: target.to_path_buf(), published: false })
    }

    /// Like [`beside`](Self::beside), for a `target` that the user named. If the folder exists, it
    /// must hold one of `own_files`, which show that it was published before, or nothing but hidden
    /// files such as a `.gitignore`.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds other files, which publishing would remove.
    pub fn in_place_of(target: &Path, own_files: &[&'static str]) -> Result<Self> {
        let is_visible = |entry: std::io::Result<fs::DirEntry>| {
            entry.is_ok_and(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        };
        let holds_something = fs::read_dir(target).is_ok_and(|mut entries| entries.any(is_visible));
        if holds_something && !own_files.iter().any(|file| target.join(file).exists()) {
            let own_file = own_files.first().copied().unwrap_or_default();
            return Err(IoError::Foreign { path: target.to_path_buf(), own_file });
        }
        Self::beside(target)
    }

    /// Where to put the files before publishing.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Gives the folder its own name, in place of the old folder.
    ///
    /// # Errors
    /// When the old folder cannot be moved away or the new one cannot be renamed.
    pub fn publish(mut self) -> Result<()> {
        publish_folder(&self.temporary, &self.target)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        if !self.published {
            // Nothing can be reported from here; the next run removes it.
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

/// Renames a finished folder to `target`. An existing folder is moved aside first and removed last.
/// So `target` is the old folder, absent for an instant, or the new one, and never a mixture.
///
/// # Errors
/// When a rename or the removal fails.
pub fn publish_folder(finished: &Path, target: &Path) -> Result<()> {
    let aside = temporary_beside(target);
    let had_old = target.symlink_metadata().is_ok();
    if had_old {
        fs::rename(target, &aside).with_path("move aside", target)?;
    }
    if let Err(error) =
        fs::rename(finished, target).with_path("rename a finished folder to", target)
    {
        if had_old {
            // Puts the old folder back; the first error is the one to report.
            let _ = fs::rename(&aside, target);
        }
        return Err(error);
    }
    sync_folder_of(target)?;
    if had_old { remove_folder(&aside) } else { Ok(()) }
}

/// Removes a folder with everything in it; a missing folder is fine.
///
/// # Errors
/// When something in it cannot be removed.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.with_path("remove folder", path),
    }
}

/// Whether a file or folder of this name is unfinished or moved aside, so that nobody may read it.
pub fn is_temporary(name: &str) -> bool {
    name.contains(TEMPORARY_MARK)
}

/// Removes what a killed run left under temporary names beside `target`.
///
/// # Errors
/// When the folder above cannot be listed or a leftover cannot be removed.
pub fn remove_stale_temporaries(target: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else { return Ok(()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let prefix = format!("{}{TEMPORARY_MARK}", name.to_string_lossy());
    let Ok(entries) = fs::read_dir(parent) else { return Ok(()) };
    for entry in entries {
        let entry = entry.with_path("list", parent)?;
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let Some(owner) = file_name.strip_prefix(&prefix) else { continue };
        if is_alive(owner.split('-').next().unwrap_or_default()) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            remove_folder(&path)?;
        } else {
            fs::remove_file(&path).with_path("remove", &path)?;
        }
    }
    Ok(())
}

/// Whether the process that made a temporary still runs (Linux; elsewhere assumed not).
fn is_alive(process_id: &str) -> bool {
    process_id != std::process::id().to_string() && Path::new("/proc").join(process_id).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn publishing_replaces_the_old_folder_whole() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("model");
        write(&target.join("stale.txt"), "old");
        let staged = StagedFolder::beside(&target).unwrap();
        write(&staged.path().join("fresh.txt"), "new");
        staged.publish().unwrap();
        assert!(target.join("fresh.txt").exists());
        assert!(!target.join("stale.txt").exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_staged_folder_that_is_given_up_leaves_the_old_one() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("model");
        write(&target.join("kept.txt"), "old");
        let staged = StagedFolder::beside(&target).unwrap();
        write(&staged.path().join("fresh.txt"), "new");
        drop(staged);
        assert!(target.join("kept.txt").exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_with_other_files_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("thesis");
        write(&target.join(".gitignore"), "*.aux");
        StagedFolder::in_place_of(&target, &["scores.json", "roc.csv"]).unwrap();
        write(&target.join("chapter1.tex"), "ten years");
        let message = StagedFolder::in_place_of(&target, &["scores.json", "roc.csv"])
            .unwrap_err()
            .to_string();
        assert!(message.contains("thesis") && message.contains("scores.json"), "{message}");
        write(&target.join("roc.csv"), "{}");
        StagedFolder::in_place_of(&target, &["scores.json", "roc.csv"]).unwrap();
    }

    #[test]
    fn a_staged_folder_is_told_by_its_name() {
        let root = tempfile::tempdir().unwrap();
        let staged = StagedFolder::beside(&root.path().join("model")).unwrap();
        assert!(is_temporary(&staged.path().file_name().unwrap().to_string_lossy()));
        assert!(!is_temporary("model"));
    }

    #[test]
    fn what_a_killed_run_left_is_cleared_by_the_next() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("model");
        // No process has this number: it is above the kernel's limit.
        write(&root.path().join("model.writing-99999999-0/half.txt"), "half");
        let staged = StagedFolder::beside(&target).unwrap();
        staged.publish().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
