//! A temporary folder with the two configuration files, and the binary run in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dataset::Manifest;
use tempfile::TempDir;

pub(crate) const TWO_CLASSES: &str = "{benign: [benign], malignant: [malignant]}";

pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// A project with this class map and the repository's parameters.
    pub(crate) fn new(classes: &str) -> Self {
        Self::configured(&format!("data:\n  source: {{kind: sample}}\n  classes: {classes}\n"))
    }

    /// A project with this `config.yaml`.
    pub(crate) fn configured(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.yaml"), config).unwrap();
        let params = include_str!("../../../../../params.yaml");
        fs::write(folder.path().join("params.yaml"), params).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The binary with these arguments, in the project's folder, without credentials.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
        command.args(arguments).current_dir(self.folder.path()).env("HOME", self.folder.path());
        for variable in ["KAGGLE_API_TOKEN", "KAGGLE_JSON", "KAGGLE_USERNAME", "KAGGLE_KEY"] {
            command.env_remove(variable);
        }
        for variable in ["HOUNSFIELD_LOG", "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs it and expects success; returns standard output.
    #[track_caller]
    pub(crate) fn ingest(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it and expects this exit code and no output folder; returns standard error.
    #[track_caller]
    pub(crate) fn refuse(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        self.assert_nothing_left();
        stderr(&output)
    }

    /// No output, and no partial files beside it.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        let Ok(entries) = fs::read_dir(self.path("artifacts")) else { return };
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        let left: Vec<_> = names.iter().filter(|name| *name != "downloads").collect();
        assert!(left.is_empty(), "{left:?}");
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.path("artifacts/data_ingestion")
    }

    pub(crate) fn manifest(&self) -> Manifest {
        Manifest::read(&self.output()).unwrap()
    }

    pub(crate) fn report(&self) -> serde_json::Value {
        artifact::read_json(&self.output().join("report.json")).unwrap()
    }

    /// Images of each split and class, as `train/benign`, compared with the existing files.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let manifest = self.manifest();
        let listed: BTreeSet<String> =
            manifest.records().iter().map(|record| record.path.clone()).collect();
        let mut found: BTreeSet<String> = tree(&self.output()).into_keys().collect();
        assert!(found.remove("manifest.csv") && found.remove("report.json"));
        // Only for the sample.
        found.remove("lesions.csv");
        assert_eq!(listed, found);
        let mut counts = BTreeMap::new();
        for record in manifest.records() {
            *counts.entry(format!("{}/{}", record.split, record.class)).or_default() += 1;
        }
        counts
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file below a folder with its bytes, by relative path.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(relative, fs::read(path).unwrap());
            }
        }
    }
    files
}

/// `[("train/benign", 3), …]` in the form of [`Project::counts`].
pub(crate) fn counts_of(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}
