use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{project, text};

/// The declarations of `dvc.yaml`, as far as the tests use them.
#[derive(Debug, Deserialize)]
pub struct Pipeline {
    /// Each stage by its name.
    pub stages: BTreeMap<String, Stage>,
}

/// One stage of `dvc.yaml`.
#[derive(Debug, Deserialize)]
pub struct Stage {
    /// The command.
    pub cmd: String,
    /// Files and folders that it depends on.
    pub deps: BTreeSet<String>,
    #[serde(default)]
    params: Vec<Params>,
    #[serde(default)]
    outs: Vec<Output>,
    #[serde(default)]
    metrics: Vec<Output>,
}

/// Keys of `params.yaml`, or of the named file.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Params {
    Key(String),
    Of(BTreeMap<String, Vec<String>>),
}

/// A path, or a path with options.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Output {
    Path(String),
    With(BTreeMap<String, serde_yaml::Value>),
}

impl Pipeline {
    /// Reads the project's `dvc.yaml`.
    ///
    /// # Panics
    /// If it is missing or invalid.
    pub fn read() -> Self {
        serde_yaml::from_str(&text(project().join("dvc.yaml"))).expect("dvc.yaml declares stages")
    }
}

impl Stage {
    /// The keys of `file` that the stage declares as params.
    pub fn params_of(&self, file: &str) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        for params in &self.params {
            match params {
                Params::Key(key) if file == "params.yaml" => _ = keys.insert(key.as_str()),
                Params::Key(_) => {}
                Params::Of(files) => {
                    keys.extend(files.get(file).into_iter().flatten().map(String::as_str));
                }
            }
        }
        keys
    }

    /// All outputs, including metrics.
    pub fn outputs(&self) -> BTreeSet<&str> {
        self.outs
            .iter()
            .chain(&self.metrics)
            .flat_map(|output| match output {
                Output::Path(path) => vec![path.as_str()],
                Output::With(paths) => paths.keys().map(String::as_str).collect(),
            })
            .collect()
    }
}
