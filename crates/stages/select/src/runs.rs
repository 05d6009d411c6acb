use std::fs;
use std::path::{Path, PathBuf};

use artifact::{Digest, WithPath};
use classifier::checkpoint;

use crate::error::SelectError;

/// A finished run: a `Checkpoint_<run>` folder and the checkpoints in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunFolder {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its name, `Checkpoint_<run>`.
    pub(crate) name: String,
    /// Names of its safetensors files, sorted; never empty.
    pub(crate) checkpoints: Vec<String>,
}

/// The finished runs in the folder that `train` writes to, sorted by name. Files, other folders,
/// and the partial output of killed programs are ignored.
///
/// # Errors
/// When the folder cannot be listed, or holds no run with a checkpoint.
pub(crate) fn find_runs(folder: &Path) -> Result<Vec<RunFolder>, SelectError> {
    let mut runs = Vec::new();
    let folders = if folder.exists() { checkpoint::folders(folder)? } else { Vec::new() };
    for path in folders {
        let checkpoints = checkpoints_in(&path)?;
        if checkpoints.is_empty() {
            tracing::warn!("{} holds no checkpoint", path.display());
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        runs.push(RunFolder { path, name, checkpoints });
    }
    if runs.is_empty() {
        return Err(SelectError::NoRuns { folder: folder.to_path_buf() });
    }
    Ok(runs)
}

/// The runs that were trained on the data and the base with these digests; the others are named in
/// the log and ignored. Where all were trained on another base, these: what to do is told when one
/// of them is put on its base. Without a base, all count.
///
/// # Errors
/// When a checkpoint cannot be read, or all runs were trained on other data; `folder` holds the
/// runs.
pub(crate) fn trained_on(
    data: Digest,
    base: Option<Digest>,
    runs: Vec<RunFolder>,
    folder: &Path,
) -> Result<Vec<RunFolder>, SelectError> {
    let (mut present, mut of_other_bases, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for run in runs {
        // All checkpoints of a run are of one training, on one data set and one base.
        let found = checkpoint::read_metadata(&run.path.join(&run.checkpoints[0]))?;
        let (name, manifest, own) = (&run.name, found.data.short(), found.base);
        if found.data != data {
            tracing::info!("passing over {name}: trained on other data (manifest {manifest})");
            others.push(run.name);
        } else if base.is_some_and(|base| base != own) {
            tracing::info!("passing over {name}: trained on another base ({})", own.short());
            of_other_bases.push(run);
        } else {
            present.push(run);
        }
    }
    if present.is_empty() {
        present = of_other_bases;
    }
    if present.is_empty() {
        let folder = folder.to_path_buf();
        return Err(SelectError::OtherData { folder, runs: others.join(", "), data });
    }
    Ok(present)
}

fn checkpoints_in(folder: &Path) -> artifact::Result<Vec<String>> {
    let entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_path("list", folder)?;
    let mut names: Vec<String> = entries
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".safetensors") && !artifact::is_temporary(name))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(root: &Path, path: &str) {
        artifact::write_file(&root.join(path), b"").unwrap();
    }

    #[test]
    fn runs_and_their_checkpoints_are_found_in_order() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), "Checkpoint_b/model_e2.safetensors");
        touch(root.path(), "Checkpoint_b/model_e1.safetensors");
        touch(root.path(), "Checkpoint_b/history.csv");
        touch(root.path(), "Checkpoint_a/model_e1.safetensors");
        let runs = find_runs(root.path()).unwrap();
        let found: Vec<_> =
            runs.iter().map(|run| (run.name.as_str(), run.checkpoints.join(" "))).collect();
        let expected = [
            ("Checkpoint_a", "model_e1.safetensors".to_owned()),
            ("Checkpoint_b", "model_e1.safetensors model_e2.safetensors".to_owned()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn other_folders_and_half_written_ones_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), "Checkpoint_a/model_e1.safetensors");
        touch(root.path(), "Checkpoint_b.writing-1-0/model_e1.safetensors");
        touch(root.path(), "Checkpoint_empty/history.csv");
        touch(root.path(), "Checkpoint_file");
        touch(root.path(), "other/model_e1.safetensors");
        let names: Vec<_> = find_runs(root.path()).unwrap().into_iter().map(|r| r.name).collect();
        assert_eq!(names, ["Checkpoint_a"]);
    }

    #[test]
    fn no_run_at_all_says_to_train_first() {
        let root = tempfile::tempdir().unwrap();
        for folder in [root.path().to_path_buf(), root.path().join("missing")] {
            let message = find_runs(&folder).unwrap_err().to_string();
            assert!(message.contains("run train first"), "{message}");
        }
    }
}
