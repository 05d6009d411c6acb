//! Finds the named files: directly, below folders, or by a pattern.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use glob::MatchOptions;
use walkdir::{DirEntry, WalkDir};

/// Every file once, in the order in which they were named; those of a folder or pattern by path.
///
/// # Errors
/// When a path does not exist, a pattern is invalid, or a folder cannot be read.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(below(path)?);
        } else if path.exists() {
            files.push(path.clone());
        } else {
            files.extend(matching(path)?);
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_visible = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    };
    let walk = WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(is_visible);
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.with_context(|| format!("list {}", folder.display()))?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn matching(pattern: &Path) -> Result<Vec<PathBuf>> {
    let shown = pattern.display();
    let text = pattern.to_str().with_context(|| format!("read {shown}: it is not UTF-8"))?;
    if !text.contains(['*', '?', '[']) {
        bail!("read {shown}: there is no such file or folder");
    }
    let mut files = Vec::new();
    // Hidden files do not match, as in a shell.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    for path in
        glob::glob_with(text, options).with_context(|| format!("read the pattern {shown}"))?
    {
        let path = path.with_context(|| format!("list what {shown} names"))?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("read {shown}: no file is named so");
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_patterns_are_found_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/2.png", "b/1.png", "a.dcm", ".hidden/x.png", "b/.x"] {
            artifact::write_file(&folder.path().join(name), b"x").unwrap();
        }
        let path = |name: &str| folder.path().join(name);
        assert_eq!(find(&[path("a.dcm"), path("b"), path("")]).unwrap().len(), 3);
        assert_eq!(find(&[path("b")]).unwrap(), [path("b/1.png"), path("b/2.png")]);
        assert_eq!(find(&[path("**/*.png")]).unwrap(), [path("b/1.png"), path("b/2.png")]);
        for missing in ["none", "*.tif"] {
            let error = find(&[path(missing)]).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
    }
}
