//! `model.json`: what a model is and where it came from. It defines the names of the model's
//! answers and the size of its images, so it is checked when it is read.

use std::path::Path;

use artifact::Digest;
use config::TrainParams;
use dataset::ClassIndices;
use imaging::Preprocessing;
use serde::{Deserialize, Serialize};
use solvers::EpochSearch;

use crate::architecture::Architecture;
use crate::backend::NumberFormat;
use crate::checkpoint::RunId;
use crate::ensemble::{self, Member};
use crate::model_input::ModelInput;
use crate::seal::check_seal;
use crate::solved::Solved;
use crate::{ClassifierError, Result};

mod before;

use before::{of_format_2, of_format_3, unsealed};

/// `model.json`: everything that is needed to use the model, and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescription {
    /// Version of this file's format.
    pub format: u32,
    /// What the model must not be used for.
    pub notice: String,
    /// The network.
    pub architecture: Architecture,
    /// How pixels become numbers.
    pub preprocessing: Preprocessing,
    /// Number format of the convolutions.
    pub precision: NumberFormat,
    /// The checkpoint it was made from.
    pub source: ModelSource,
    /// How it was trained.
    pub training: TrainParams,
    /// How its head was solved; none if it learnt by epochs.
    pub solved: Option<Solved>,
    /// The cross-validation that decided after how many epochs to stop; none if it was not
    /// requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<EpochSearch>,
    /// Digests of its inputs, and of its weights.
    pub digests: ModelDigests,
    /// The models that answer as one; empty for a single model. The other fields are those of the
    /// first, but for the digest of the weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ensemble: Vec<Member>,
    /// Digest of all of the above, so that a change is noticed; none in models of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Digest>,
}

/// The checkpoint that became the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSource {
    /// The training.
    pub run: RunId,
    /// The file's name in `Checkpoint_<run>`.
    pub checkpoint: String,
    /// The digest of that file.
    pub sha256: Digest,
    /// The epoch, from 1.
    pub epoch: u32,
    /// Top-1 accuracy on the validation split.
    pub valid_accuracy: f64,
    /// Mean cross-entropy on the validation split.
    pub valid_loss: f64,
}

/// Digests of the model's inputs, and of its weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDigests {
    /// The manifest of the images.
    pub data: Digest,
    /// `base_model.safetensors`.
    pub base: Digest,
    /// The parameters of the training.
    pub params: Digest,
    /// `trained_model.safetensors`.
    pub weights: Digest,
}

/// The allowed image sizes of a network, as for `prepare_base.image_size`.
const IMAGE_SIZES: std::ops::RangeInclusive<u32> = 32..=1024;

impl ModelDescription {
    /// The format this version writes and reads.
    pub const FORMAT: u32 = 4;
    /// The same of an ensemble: programs that know of none refuse it.
    pub const ENSEMBLE_FORMAT: u32 = 5;
    /// The description's file name.
    pub const FILE: &str = "model.json";
    /// The metrics that `select` writes, for ranking experiments: a file of the model folder.
    pub const METRICS_FILE: &str = "metrics.json";
    /// The weights' file name.
    pub const WEIGHTS_FILE: &str = "trained_model.safetensors";
    /// The notice of every model.
    pub const NOTICE: &str = "Research use only. Not a medical device.";

    /// Reads `model.json`, of this format or one of the two before.
    ///
    /// # Errors
    /// When it is missing, not as expected, was changed, or of another format.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let found: serde_json::Value = artifact::read_json(&path)?;
        let format = found["format"].as_u64().unwrap_or_default();
        let of_this_format = match format {
            2 => of_format_3(of_format_2(found), Self::FORMAT),
            3 => of_format_3(unsealed(&path, found)?, Self::FORMAT),
            _ if [Self::FORMAT, Self::ENSEMBLE_FORMAT].map(u64::from).contains(&format) => found,
            _ => {
                let found = u32::try_from(format).unwrap_or(u32::MAX);
                return Err(ClassifierError::Format { path, found, known: Self::ENSEMBLE_FORMAT });
            }
        };
        let description = serde_json::from_value(of_this_format)
            .map_err(|error| ClassifierError::Description { path, reason: error.to_string() })?;
        check_description(folder, &description)?;
        Ok(description)
    }

    /// What the model sees of a picture.
    pub fn input(&self) -> ModelInput {
        ModelInput::of(self)
    }
}

/// Checks `model.json`, and `class_indices.json` beside it.
fn check_description(folder: &Path, description: &ModelDescription) -> Result<()> {
    let path = folder.join(ModelDescription::FILE);
    let seal = description.seal;
    check_seal(&path, seal, &ModelDescription { seal: None, ..description.clone() })?;
    let require = |is_so: bool, reason: String| {
        let path = path.clone();
        if is_so { Ok(()) } else { Err(ClassifierError::Description { path, reason }) }
    };
    for model in std::iter::once(description).chain(description.ensemble.iter().map(|it| &it.model))
    {
        check_input(model).or_else(|reason| require(false, reason))?;
    }
    ensemble::check(description).or_else(|reason| require(false, reason))?;
    let architecture = &description.architecture;
    let classes = architecture.class_indices();
    classes.check_names()?;
    require(
        classes.len() >= 2 && classes.names() == architecture.classes,
        "the classes are not two or more, each once, in alphabetical order".to_owned(),
    )?;
    let beside = ClassIndices::path_in(folder);
    // Models that came from a registry may have none.
    if beside.exists() && ClassIndices::read(folder)? != classes {
        let reason = format!("its classes are not those of {}", path.display());
        return Err(ClassifierError::Description { path: beside, reason });
    }
    Ok(())
}

/// Whether a network can see the images, and the pixels become numbers; if not, why.
fn check_input(description: &ModelDescription) -> std::result::Result<(), String> {
    let (architecture, size) = (&description.architecture, description.preprocessing.image_size);
    if !IMAGE_SIZES.contains(&size) {
        return Err(format!("image_size is {size}; expected 32 to 1024 pixels"));
    }
    if architecture.image_size != size {
        let sees = architecture.image_size;
        return Err(format!("the network sees {sees} pixels, and images have {size}"));
    }
    let statistics = description.preprocessing.normalisation.statistics();
    let is_usable = statistics.mean.iter().all(|mean| mean.is_finite())
        && statistics.deviation.iter().all(|it| it.is_finite() && *it > 0.0);
    if is_usable {
        return Ok(());
    }
    Err("the normalisation divides by nothing, or is no number".into())
}
