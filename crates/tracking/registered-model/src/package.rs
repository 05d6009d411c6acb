//! The files of a logged model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use artifact::Digest;
use classifier::calibration::Calibration;
use classifier::checkpoint::HISTORY_FILE;
use classifier::description::ModelDescription;
use classifier::ensemble;
use classifier::held_out::HeldOut;
use dataset::ClassIndices;
use mlflow::ArtifactPath;

use crate::Result;
use crate::environment::{self, CONDA_FILE, REQUIREMENTS_FILE, VIRTUALENV_FILE};
use crate::example::{self, EXAMPLE_FILE, SERVING_FILE};
use crate::mlmodel::{self, Identity};

/// The digests of all files except `MLmodel`, which contains the model's ID.
pub const DIGESTS_FILE: &str = "digests.json";
/// The tag of a logged model and its versions that holds the digest of [`DIGESTS_FILE`].
pub const DIGESTS_TAG: &str = "hounsfield.digests";
/// The digests of the images that the model was trained on, one a line, sorted.
pub(crate) const TRAINING_IMAGES_FILE: &str = "training_images.txt";
/// The folder that holds the model folder's files.
pub(crate) const DATA_FOLDER: &str = "data";

/// The module that `MLmodel` names, and its content.
const LOADER_FILE: &str = "code/hounsfield_model.py";
const LOADER: &str = include_str!("hounsfield_model.py");

/// The files of the model folder, and whether they are required.
pub(crate) const MODEL_FILES: [(&str, Need); 9] = [
    (ModelDescription::FILE, Need::Always),
    (ModelDescription::WEIGHTS_FILE, Need::Always),
    (ClassIndices::FILE, Need::Always),
    (HISTORY_FILE, Need::Always),
    // Versions that were registered before November 2026 have none.
    (ModelDescription::METRICS_FILE, Need::WhereThere),
    (Calibration::FILE, Need::WhereThere),
    (Calibration::FEATURES_FILE, Need::WhereThere),
    // So that versions can become members of an ensemble.
    (HeldOut::FILE, Need::WhereThere),
    (ensemble::RECORD_FILE, Need::WhereThere),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Always,
    WhereThere,
}

/// All files to upload, in the order of their paths.
#[derive(Debug)]
pub struct Package {
    description: ModelDescription,
    files: Vec<PackageFile>,
    digest: Digest,
}

/// One of its files.
#[derive(Debug)]
pub struct PackageFile {
    /// Its path among the artifacts.
    pub path: ArtifactPath,
    /// Its content.
    pub content: Content,
}

/// The content of a file.
#[derive(Debug)]
pub enum Content {
    /// The content of a file on this machine.
    File(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl Package {
    /// Packs a model folder, with the scores from `evaluate` and the digests of the images that it
    /// was trained on.
    ///
    /// # Errors
    /// When a file is missing or cannot be read, or the folder does not contain a model.
    pub fn new(model: &Path, scores: Vec<u8>, training_images: &BTreeSet<Digest>) -> Result<Self> {
        let description = ModelDescription::read(model)?;
        let mut contents: BTreeMap<String, Content> = written(&description, scores)
            .into_iter()
            .map(|(path, text)| (path.to_owned(), Content::Bytes(text)))
            .collect();
        let lines: String = training_images.iter().map(|digest| format!("{digest}\n")).collect();
        contents.insert(TRAINING_IMAGES_FILE.into(), Content::Bytes(lines.into_bytes()));
        for (name, need) in MODEL_FILES {
            let file = model.join(name);
            if need == Need::Always || file.exists() {
                contents.insert(format!("{DATA_FOLDER}/{name}"), Content::File(file));
            }
        }

        let mut digests = BTreeMap::new();
        for (path, content) in &contents {
            digests.insert(path.clone(), content.digest()?);
        }
        let list = serde_json::to_vec_pretty(&digests).expect("names and digests are JSON");
        let digest = Digest::of(&list);
        contents.insert(DIGESTS_FILE.into(), Content::Bytes(list));
        let files = contents
            .into_iter()
            .map(|(path, content)| PackageFile {
                path: ArtifactPath::new(path).expect("these names are plain"),
                content,
            })
            .collect();
        Ok(Self { description, files, digest })
    }

    /// The content of `model.json`.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// All files except `MLmodel`.
    pub fn files(&self) -> &[PackageFile] {
        &self.files
    }

    /// Writes all files except `MLmodel` below a folder.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for file in &self.files {
            let place = folder.join(file.path.to_string());
            match &file.content {
                Content::File(from) => {
                    artifact::write_file(&place, &artifact::read_bytes(from)?)?;
                }
                Content::Bytes(bytes) => artifact::write_file(&place, bytes)?,
            }
        }
        Ok(())
    }

    /// `MLmodel`, once the server has returned the model's ID.
    pub fn mlmodel(&self, identity: Identity<'_>) -> PackageFile {
        PackageFile {
            path: ArtifactPath::new(mlmodel::FILE).expect("the name is plain"),
            content: Content::Bytes(mlmodel::text(&self.description, identity).into_bytes()),
        }
    }

    /// The digest of [`DIGESTS_FILE`], and so of every file except `MLmodel`. The same model,
    /// scores and training images give the same digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Content {
    fn digest(&self) -> artifact::Result<Digest> {
        match self {
            Self::File(file) => Digest::of_file(file),
            Self::Bytes(bytes) => Ok(Digest::of(bytes)),
        }
    }
}

/// The files written for the package.
fn written(description: &ModelDescription, scores: Vec<u8>) -> [(&'static str, Vec<u8>); 7] {
    let image_size = description.preprocessing.image_size;
    [
        (LOADER_FILE, LOADER.into()),
        (REQUIREMENTS_FILE, environment::requirements(description).into()),
        (VIRTUALENV_FILE, environment::virtualenv().into_bytes()),
        (CONDA_FILE, environment::conda(description).into_bytes()),
        (EXAMPLE_FILE, example::table(image_size).into_bytes()),
        (SERVING_FILE, example::request(image_size).into_bytes()),
        ("evaluation/scores.json", scores),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A model folder that was never calibrated; the package does not read the weights.
    fn model_folder() -> tempfile::TempDir {
        let digest = Digest::of(b"x");
        let description = json!({
            "format": 2,
            "notice": ModelDescription::NOTICE,
            "architecture": {
                "image_size": 64,
                "classes": ["cancer", "normal, or so"],
                "freeze": "all",
                "head": { "kind": "flatten", "hidden_units": 0, "dropout": 0.0 },
            },
            "preprocessing": { "image_size": 64, "normalisation": "unit" },
            "precision": "fp32",
            "source": {
                "run": "0123456789ab",
                "checkpoint": "model_e3.safetensors",
                "sha256": digest,
                "epoch": 3,
                "valid_accuracy": 0.5,
                "valid_loss": 0.7,
            },
            "training": training(),
            "digests": { "data": digest, "base": digest, "params": digest, "weights": digest },
        });
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            artifact::write_file(&folder.path().join(name), bytes).unwrap();
        };
        write(ModelDescription::FILE, description.to_string().as_bytes());
        write(ModelDescription::WEIGHTS_FILE, b"weights");
        write(ClassIndices::FILE, br#"{"cancer": 0, "normal, or so": 1}"#);
        write(HISTORY_FILE, b"epoch\n");
        folder
    }

    /// The section `train` of the project's own params.yaml.
    fn training() -> Value {
        let params = include_str!("../../../../params.yaml");
        let mut params: Value = serde_yaml::from_str(params).unwrap();
        params["train"].take()
    }

    fn package(folder: &Path, scores: &str) -> Package {
        let trained = BTreeSet::from([Digest::of(b"1"), Digest::of(b"2")]);
        Package::new(folder, scores.into(), &trained).unwrap()
    }

    fn text<'a>(package: &'a Package, path: &str) -> &'a [u8] {
        let file = package.files().iter().find(|file| file.path.as_str() == path).unwrap();
        match &file.content {
            Content::Bytes(bytes) => bytes,
            Content::File(file) => panic!("{} is not written", file.display()),
        }
    }

    #[test]
    fn every_file_has_its_digest_and_the_same_files_the_same_one() {
        let folder = model_folder();
        let packed = package(folder.path(), "{}");
        let digests: BTreeMap<String, Digest> =
            serde_json::from_slice(text(&packed, DIGESTS_FILE)).unwrap();
        let listed: Vec<&str> = digests.keys().map(String::as_str).collect();
        let paths = packed.files().iter().map(|file| file.path.as_str());
        assert_eq!(listed, paths.filter(|path| *path != DIGESTS_FILE).collect::<Vec<_>>());
        assert_eq!(digests["data/trained_model.safetensors"], Digest::of(b"weights"));
        assert_eq!(packed.digest(), Digest::of(text(&packed, DIGESTS_FILE)));
        assert_eq!(package(folder.path(), "{}").digest(), packed.digest());
        assert_ne!(package(folder.path(), "{ }").digest(), packed.digest());
    }

    #[test]
    fn a_model_without_its_weights_is_not_packed() {
        let folder = model_folder();
        std::fs::remove_file(folder.path().join(ModelDescription::WEIGHTS_FILE)).unwrap();
        let error = Package::new(folder.path(), Vec::new(), &BTreeSet::new()).unwrap_err();
        assert!(error.to_string().contains(ModelDescription::WEIGHTS_FILE), "{error}");
    }

    #[test]
    fn mlmodel_names_the_model_its_loader_and_a_column_for_each_class() {
        let folder = model_folder();
        let packed = package(folder.path(), "{}");
        let (model, run) = ("m-1".parse().unwrap(), "r1".parse().unwrap());
        let file = packed.mlmodel(Identity { model: &model, run: Some(&run) });
        let Content::Bytes(bytes) = file.content else { panic!("MLmodel is written") };
        let file: Value = serde_yaml::from_slice(&bytes).unwrap();
        assert_eq!((&file["model_id"], &file["run_id"]), (&json!("m-1"), &json!("r1")));
        let flavor = &file["flavors"]["python_function"];
        let module = format!("code/{}.py", flavor["loader_module"].as_str().unwrap());
        assert!(!text(&packed, &module).is_empty());
        let outputs: Value =
            serde_json::from_str(file["signature"]["outputs"].as_str().unwrap()).unwrap();
        assert_eq!(outputs[3]["name"], "prob_normal, or so");
    }
}
