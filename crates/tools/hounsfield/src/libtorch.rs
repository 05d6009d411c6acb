//! Where libtorch is: the programs are linked with it, and it is not in the package.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The release of PyTorch whose libtorch the programs are built for.
pub(crate) const RELEASE: &str = "2.11";

/// A libtorch that the programs can load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Libtorch {
    /// The folder that holds `lib`: a Python package `torch`, or libtorch unpacked.
    pub(crate) folder: PathBuf,
    /// Such as `2.11.0+cpu`; `None` where the folder does not say.
    pub(crate) version: Option<String>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NoLibtorch {
    #[error(
        "find libtorch: it is not installed; hounsfield doctor --install fetches it without CUDA, \
         pip install 'hounsfield[torch]' brings PyTorch, or LIBTORCH=folder names one"
    )]
    Missing,
    #[error(
        "use the libtorch in {}: it is of PyTorch {version}, and the programs need {RELEASE}; \
         pip install 'torch=={RELEASE}.*', or hounsfield doctor --install",
        folder.display()
    )]
    OtherRelease { folder: PathBuf, version: String },
    #[error("use LIBTORCH={}: there is no lib/libtorch_cpu.so in it", folder.display())]
    NotThere { folder: PathBuf },
}

impl Libtorch {
    /// The first that fits, of `LIBTORCH`, an installed PyTorch, and what `doctor --install` made.
    pub(crate) fn find() -> Result<Self, NoLibtorch> {
        let named = env::var_os("LIBTORCH").map(PathBuf::from);
        Self::among(named, &places())
    }

    fn among(named: Option<PathBuf>, places: &[PathBuf]) -> Result<Self, NoLibtorch> {
        if let Some(folder) = named {
            let Some(found) = Self::at(&folder) else {
                return Err(NoLibtorch::NotThere { folder });
            };
            return found.fitting();
        }
        let mut other = None;
        for found in places.iter().filter_map(|folder| Self::at(folder)) {
            match found.fitting() {
                Ok(fitting) => return Ok(fitting),
                Err(error) => other = other.or(Some(error)),
            }
        }
        Err(other.unwrap_or(NoLibtorch::Missing))
    }

    fn at(folder: &Path) -> Option<Self> {
        let is_there = folder.join("lib/libtorch_cpu.so").exists();
        is_there.then(|| Self { folder: folder.to_path_buf(), version: version_of(folder) })
    }

    fn fitting(self) -> Result<Self, NoLibtorch> {
        match self.version.clone() {
            Some(version) if !is_of_release(&version) => {
                Err(NoLibtorch::OtherRelease { folder: self.folder, version })
            }
            _ => Ok(self),
        }
    }

    /// Whether its CUDA part is there.
    pub(crate) fn has_cuda(&self) -> bool {
        self.folder.join("lib/libtorch_cuda.so").exists()
    }

    /// `LD_LIBRARY_PATH` with it in front.
    pub(crate) fn library_path(&self) -> OsString {
        let mut path = self.folder.join("lib").into_os_string();
        if let Some(rest) = env::var_os("LD_LIBRARY_PATH").filter(|rest| !rest.is_empty()) {
            path.push(":");
            path.push(rest);
        }
        path
    }
}

/// Where `doctor --install` puts the packages, the folder `torch` among them.
pub(crate) fn installed_folder() -> Option<PathBuf> {
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    Some(data.or_else(home)?.join("hounsfield/libtorch"))
}

fn places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    // Set by the Python package, where the Python that runs it has PyTorch.
    places.extend(env::var_os("HOUNSFIELD_TORCH").map(PathBuf::from));
    if let Some(folder) = env::current_exe().ok().and_then(|own| own.canonicalize().ok()) {
        // site-packages/hounsfield/programs/hounsfield, or a tarball's hounsfield/bin/hounsfield.
        places.extend(folder.ancestors().nth(3).map(|packages| packages.join("torch")));
        places.extend(folder.ancestors().nth(2).map(|root| root.join("libtorch")));
    }
    places.extend(installed_folder().map(|folder| folder.join("torch")));
    // Set by scripts/stage, in a source tree.
    let source = env::var_os("HOUNSFIELD_SOURCE").map(PathBuf::from);
    places.extend(source.map(|root| root.join(".venv/libtorch")));
    places
}

/// As PyTorch's package writes it into `version.py`, and libtorch's archive into `build-version`.
fn version_of(folder: &Path) -> Option<String> {
    if let Ok(text) = artifact::read_text(&folder.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = artifact::read_text(&folder.join("version.py")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim().trim_matches(['\'', '"']).to_owned())
}

fn is_of_release(version: &str) -> bool {
    version
        .strip_prefix(RELEASE)
        .is_some_and(|rest| rest.starts_with(['.', '+']) || rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torch(at: &Path, version: &str) -> PathBuf {
        artifact::write_file(&at.join("lib/libtorch_cpu.so"), b"").unwrap();
        let text =
            format!("from typing import Optional\n__version__ = '{version}'\ndebug = False\n");
        artifact::write_file(&at.join("version.py"), text.as_bytes()).unwrap();
        at.to_path_buf()
    }

    #[test]
    fn the_first_of_the_right_release_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let old = torch(&folder.path().join("old"), "2.4.1+cu121");
        let right = torch(&folder.path().join("right"), "2.11.0+cpu");
        let empty = folder.path().join("empty");
        let found = Libtorch::among(None, &[empty.clone(), old.clone(), right.clone()]).unwrap();
        assert_eq!(found.folder, right);
        assert_eq!(found.version.as_deref(), Some("2.11.0+cpu"));
        let error = Libtorch::among(None, &[empty.clone(), old.clone()]).unwrap_err();
        assert_eq!(error, NoLibtorch::OtherRelease { folder: old, version: "2.4.1+cu121".into() });
        assert_eq!(Libtorch::among(None, &[empty]).unwrap_err(), NoLibtorch::Missing);
    }

    #[test]
    fn one_that_was_named_is_taken_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let right = torch(&folder.path().join("right"), "2.11.0");
        let named = folder.path().join("none");
        let error = Libtorch::among(Some(named.clone()), std::slice::from_ref(&right)).unwrap_err();
        assert_eq!(error, NoLibtorch::NotThere { folder: named });
        assert!(Libtorch::among(Some(right), &[]).is_ok());
    }

    #[test]
    fn a_release_is_compared_by_its_numbers() {
        assert!(is_of_release("2.11.0+cpu") && is_of_release("2.11"));
        assert!(!is_of_release("2.110.0") && !is_of_release("2.1.1"));
    }
}
