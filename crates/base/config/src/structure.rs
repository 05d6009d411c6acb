use std::path::PathBuf;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::refusal::{Refusal, require};
use crate::{ClassMap, FeaturesConfig, LauncherConfig, TrackingConfig};

/// `config.yaml`: where the data, the artifacts and the servers are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The images and their classes.
    pub data: DataConfig,
    /// Where a pretrained base comes from.
    #[serde(default)]
    pub pretrained: Pretrained,
    /// Folders that the stages write.
    #[serde(default)]
    pub paths: Paths,
    /// How much is kept of a frozen base's features.
    #[serde(default)]
    pub features: FeaturesConfig,
    /// How `train` starts several processes.
    #[serde(default)]
    pub launcher: LauncherConfig,
    /// Patience with slow and failing servers.
    #[serde(default)]
    pub download: DownloadConfig,
    /// Limits on what an archive may unpack to.
    #[serde(default)]
    pub extraction: ExtractionLimits,
    /// Servers, for mirrors and tests.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// The MLflow server that runs are tracked on.
    #[serde(default)]
    pub tracking: TrackingConfig,
    /// Where models are registered.
    #[serde(default)]
    pub registry: OtherSection,
    /// The rule by which a model becomes the champion.
    #[serde(default)]
    pub promotion: OtherSection,
    /// The prediction server.
    #[serde(default)]
    pub serve: OtherSection,
}

/// A section that no stage reads. Crate `services` defines its keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OtherSection(serde_yaml::Value);

/// The images and their classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Where the images come from.
    pub source: SourceConfig,
    /// The folders that belong to each class.
    pub classes: ClassMap,
    /// Folders of the source that hold no images to learn from, such as masks.
    #[serde(default)]
    pub ignore_folders: Vec<String>,
    /// Patterns of file names, such as `*_mask.png`, in any letter case, of files beside the images
    /// that are not images to learn from. `*` stands for any text, `?` for one letter, `[ab]` for
    /// one of several letters, `{a,b}` for one of several texts.
    #[serde(default)]
    pub ignore_files: Vec<String>,
    /// A folder of images whose class people corrected, as `<class>/<sha256 of the
    /// file>.<extension>`, where the class is one of `classes` and not a folder of the source. They
    /// are used for training, and never for scores. None: there are none.
    #[serde(default)]
    pub corrections: Option<PathBuf>,
    /// Classes that together count as the finding of interest, such as all kinds of cancer. None:
    /// the classes are only compared one by one.
    #[serde(default)]
    pub positive: Vec<String>,
    /// Where the patient of an image is recorded.
    #[serde(default)]
    pub patients: Patients,
}

/// Where the patient of an image is recorded. Images of one patient stay in one split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Patients {
    /// Nowhere.
    #[default]
    Unknown,
    /// In the image's path below `artifacts/data_ingestion`.
    Path {
        /// A regular expression; its one capture group is the patient. Images that do not match
        /// have no known patient.
        pattern: String,
    },
    /// In a table with the columns `path` and `patient_id`.
    Csv {
        /// The file. A path in it may be the full one, or an ending of it that is unique.
        path: PathBuf,
    },
    /// In the PatientID (0010,0020) of each DICOM file. Images without one have no known patient.
    ///
    /// It is never written out: the start of its SHA-256 replaces it. That prevents reading it by
    /// accident, but does not stop someone who can try every number a hospital gives out.
    Dicom,
}

impl Patients {
    fn check(&self) -> Result<(), Refusal> {
        let Self::Path { pattern } = self else { return Ok(()) };
        let key = "data.patients.pattern";
        match Regex::new(pattern) {
            Err(error) => {
                let last = error.to_string().lines().last().unwrap_or_default().to_owned();
                let expected = format!("not a regular expression: {last}");
                require(false, key, format!("{pattern:?}"), &expected)
            }
            Ok(regex) => require(
                regex.captures_len() == 2,
                key,
                format!("{pattern:?}"),
                "it needs exactly one capture group, the patient, as in patient_(\\d+)_",
            ),
        }
    }
}

impl DataConfig {
    fn check_corrections(&self) -> Result<(), Refusal> {
        require(
            self.corrections.as_ref().is_none_or(|folder| !folder.as_os_str().is_empty()),
            "data.corrections",
            "empty",
            "a folder, or null for none",
        )
    }

    fn check_positive(&self) -> Result<(), Refusal> {
        for class in &self.positive {
            let names: Vec<&str> = self.classes.names().collect();
            let expected = format!("one of the classes {}", names.join(", "));
            require(
                names.contains(&class.as_str()),
                "data.positive",
                format!("{class:?}"),
                &expected,
            )?;
        }
        require(
            self.positive.len() < self.classes.names().len(),
            "data.positive",
            "every class",
            "at least one class must count as negative",
        )
    }
}

/// Where the images come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SourceConfig {
    /// Synthetic chest CT phantoms, drawn by `ingest` itself.
    Sample {},
    /// A folder or a zip file on this machine.
    Local {
        /// The folder or zip file.
        path: PathBuf,
        /// The digest of the zip file, checked if given.
        #[serde(default)]
        sha256: Option<String>,
    },
    /// A zip file behind an http or https address.
    Url {
        /// The address.
        url: String,
        /// The digest of the zip file, checked if given.
        #[serde(default)]
        sha256: Option<String>,
    },
    /// A Kaggle data set.
    Kaggle {
        /// `owner/dataset`.
        dataset: String,
        /// The version number; the newest if not given.
        #[serde(default)]
        version: Option<u32>,
        /// The digest of the zip file, checked if given.
        #[serde(default)]
        sha256: Option<String>,
    },
    /// A Google Drive file that is shared by link.
    Gdrive {
        /// The share link, or the file's id alone.
        link: String,
        /// The digest of the zip file, checked if given.
        #[serde(default)]
        sha256: Option<String>,
    },
}

/// Where a pretrained base comes from (`prepare_base.weights: imagenet` or `file`). What is not given
/// is that of the base, `prepare_base.architecture`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pretrained {
    /// Repository on the Hugging Face hub.
    pub repository: Option<String>,
    /// Commit of that repository: 40 hexadecimal digits, so that the file cannot change.
    pub revision: Option<String>,
    /// File in that repository; safetensors with timm's or torchvision's names.
    pub filename: String,
    /// A file on this machine, safetensors with timm's or torchvision's names or Keras' HDF5: for
    /// `weights: file`, and for `weights: imagenet` if the file exists.
    pub file: Option<PathBuf>,
}

impl Default for Pretrained {
    fn default() -> Self {
        let filename = "model.safetensors".into();
        Self { repository: None, revision: None, filename, file: None }
    }
}

impl Pretrained {
    /// The file on this machine for a base: `weights/<base>.safetensors` if none is given.
    pub fn file_of(&self, base: &str) -> PathBuf {
        self.file.clone().unwrap_or_else(|| format!("weights/{base}.safetensors").into())
    }

    fn check(&self) -> Result<(), Refusal> {
        let Some(revision) = &self.revision else {
            return require(
                self.repository.is_none(),
                "pretrained.revision",
                "null",
                "a commit of pretrained.repository, 40 hexadecimal digits",
            );
        };
        require(
            revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "pretrained.revision",
            format!("{revision:?}"),
            "a commit, 40 hexadecimal digits: a branch or tag can move, and the weights with it",
        )
    }
}

/// Folders that the stages write, relative to the folder the program runs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// `ingest`: split folders, `manifest.csv`, `report.json`.
    pub data_ingestion: PathBuf,
    /// `validate`: the manifest that later stages read, and the report.
    pub data_validation: PathBuf,
    /// `prepare-base`: the base and the base with a head.
    pub base_model: PathBuf,
    /// `train`: finished `Checkpoint_<run>` folders.
    pub model_training: PathBuf,
    /// `train`: unfinished runs, from which it resumes. Not tracked.
    pub training_work: PathBuf,
    /// Features of the frozen base, by content. Not tracked; may be removed at any time.
    pub features: PathBuf,
    /// Archives and weights that were downloaded. Not tracked.
    pub downloads: PathBuf,
    /// `select`: the model.
    pub model: PathBuf,
    /// `evaluate`: scores and plots.
    pub evaluation: PathBuf,
    /// Events for MLflow, until its server has received them. Not tracked by DVC.
    pub tracking: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            data_ingestion: "artifacts/data_ingestion".into(),
            data_validation: "artifacts/data_validation".into(),
            base_model: "artifacts/base_model".into(),
            model_training: "artifacts/model_training".into(),
            training_work: "artifacts/training_work".into(),
            features: "artifacts/features".into(),
            downloads: "artifacts/downloads".into(),
            model: "model".into(),
            evaluation: "artifacts/evaluation".into(),
            tracking: "artifacts/tracking".into(),
        }
    }
}

/// Patience with slow and failing servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DownloadConfig {
    /// Seconds without a byte after which a connection counts as dead.
    pub timeout_seconds: u64,
    /// How often a failed transfer is resumed.
    pub retries: u32,
    /// The first pause before a retry, in milliseconds; it doubles each time.
    pub backoff_milliseconds: u64,
}

impl Default for DownloadConfig {
    fn default() -> Self {
        Self { timeout_seconds: 30, retries: 5, backoff_milliseconds: 500 }
    }
}

/// Limits on what an archive may unpack to. An archive above them is refused as a bomb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtractionLimits {
    /// Files and folders.
    pub max_entries: u64,
    /// Unpacked bytes in all.
    pub max_total_bytes: u64,
    /// Ratio of unpacked to packed bytes of one file.
    pub max_ratio: u64,
}

impl Default for ExtractionLimits {
    fn default() -> Self {
        Self { max_entries: 500_000, max_total_bytes: 64 << 30, max_ratio: 200 }
    }
}

/// Servers, for mirrors and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    /// Kaggle.
    pub kaggle: String,
    /// Google Drive's download host.
    pub google_drive: String,
    /// The Hugging Face hub.
    pub hugging_face: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            kaggle: "https://www.kaggle.com".into(),
            google_drive: "https://drive.usercontent.google.com".into(),
            hugging_face: "https://huggingface.co".into(),
        }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.data.classes.check()?;
        self.data.check_positive()?;
        self.data.check_corrections()?;
        self.data.patients.check()?;
        self.data.source.check()?;
        self.pretrained.check()?;
        self.features.check()?;
        self.launcher.check()?;
        self.tracking.check()?;
        let limits = &self.extraction;
        require(limits.max_entries > 0, "extraction.max_entries", 0, "at least 1")?;
        require(limits.max_ratio > 0, "extraction.max_ratio", 0, "at least 1")?;
        require(
            self.download.timeout_seconds > 0,
            "download.timeout_seconds",
            0,
            "at least 1 second",
        )
    }
}

impl SourceConfig {
    /// The digest that the archive must have, if the configuration gives one.
    pub fn sha256(&self) -> Option<&str> {
        match self {
            Self::Sample {} => None,
            Self::Local { sha256, .. }
            | Self::Url { sha256, .. }
            | Self::Kaggle { sha256, .. }
            | Self::Gdrive { sha256, .. } => sha256.as_deref(),
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        if let Some(digest) = self.sha256() {
            require(
                digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "data.source.sha256",
                format!("{digest:?}"),
                "64 hexadecimal digits, as sha256sum prints them",
            )?;
        }
        match self {
            Self::Url { url, .. } => require(
                url.starts_with("http://") || url.starts_with("https://"),
                "data.source.url",
                format!("{url:?}"),
                "an address that starts with http:// or https://",
            ),
            Self::Kaggle { dataset, .. } => require(
                dataset.split('/').filter(|part| !part.is_empty()).count() == 2
                    && dataset.matches('/').count() == 1,
                "data.source.dataset",
                format!("{dataset:?}"),
                "owner/dataset, as in the address of its Kaggle page",
            ),
            Self::Gdrive { link, .. } => require(
                !link.trim().is_empty(),
                "data.source.link",
                "empty",
                "the share link of the file, or its id",
            ),
            Self::Sample {} | Self::Local { .. } => Ok(()),
        }
    }
}
