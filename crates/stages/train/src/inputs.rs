//! The inputs of a training, and the identity that follows from them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use artifact::Digest;
use classifier::ClassifierError;
use classifier::architecture::{Architecture, BaseDescription};
use classifier::backend::{Backend, Fingerprint};
use classifier::checkpoint::RunId;
use classifier::solved;
use classifier::tensors::TensorMap;
use config::{Flip, NormalisationChoice, TrainParams};
use dataset::{GroupNumber, Manifest, Split, ValidatedManifest};
use imaging::{Normalisation, Preprocessing};
use program::{Settings, UsageError};
use ranks::Ranks;
use serde::{Deserialize, Serialize};

use crate::processes;

/// Everything that affects a training's result (`params_used.json`). Its digest names the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInputs {
    /// Digest of the manifest.
    pub data: Digest,
    /// Digest of `base_model.safetensors`.
    pub base: Digest,
    /// Digest of `updated_base_model.safetensors`, which holds the head's first weights.
    pub updated_base: Digest,
    /// The network.
    pub architecture: Architecture,
    /// How pixels become numbers.
    pub preprocessing: Preprocessing,
    /// Section `train` of the parameters, as used.
    pub train: TrainParams,
    /// Device kind, number format, instruction sets, threads, batch shape, processes.
    pub machine: Fingerprint,
}

impl RunInputs {
    /// The digest of everything.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("the inputs are plain structs"))
    }

    /// The run of these inputs.
    pub fn id(&self) -> RunId {
        RunId::of_inputs(&self.digest())
    }

    /// The digest of the training parameters alone.
    pub fn params_digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(&self.train).expect("the parameters are plain structs"))
    }
}

/// The inputs, read and checked.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) run: RunInputs,
    pub(crate) manifest: Manifest,
    validated: ValidatedManifest,
    pub(crate) base: BaseDescription,
    pub(crate) weights: TensorMap,
}

impl Inputs {
    pub(crate) fn read(settings: &Settings, backend: Backend, ranks: &Ranks) -> Result<Self> {
        let paths = &settings.config.paths;
        let validated = ValidatedManifest::read(&paths.data_validation, &paths.data_ingestion)
            .context("find the images; run validate first")?;
        let manifest = validated.included();
        let base = BaseDescription::read(&paths.base_model)
            .context("find the base; run prepare-base first")?;
        let weights = base.read_weights(&paths.base_model)?;
        check_classes(&manifest, &base.architecture)?;
        check_training_images(&manifest, &base.architecture)?;
        let train = settings.params.train.clone();
        check_cuts(&base, &train)?;
        let run = RunInputs {
            data: manifest.digest(),
            base: base.base_sha256,
            updated_base: base.updated_base_sha256,
            architecture: base.architecture.clone(),
            preprocessing: Preprocessing {
                image_size: base.architecture.image_size,
                normalisation: normalisation(&base, train.normalisation)?,
                interpolation: base.weights.interpolation(),
                flip: Flip::None,
            },
            train,
            machine: Fingerprint { processes: ranks.place().count, ..backend.fingerprint() },
        };
        processes::check_same(&run, ranks)?;
        Ok(Self { run, manifest, validated, base, weights })
    }

    /// The group of each of these images, given by their names in the manifest: images that a
    /// cross-validation must keep together.
    pub(crate) fn groups<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<GroupNumber> {
        let by_path = self.validated.by_path();
        names.map(|name| by_path[name].group).collect()
    }
}

/// A cut point that does not exist is a mistake in the configuration: exit code 2.
fn check_cuts(base: &BaseDescription, train: &TrainParams) -> Result<()> {
    let Some(solve) = &train.solve else { return Ok(()) };
    Ok(solved::check_cuts(base.architecture.base, &solve.cuts)
        .map_err(|error| UsageError(format!("accept train.solve.cuts: {error}")))?)
}

/// The normalisation for the base's weights. A choice that contradicts them is a mistake in the
/// configuration: exit code 2.
fn normalisation(base: &BaseDescription, choice: NormalisationChoice) -> Result<Normalisation> {
    base.weights.normalisation(choice).map_err(|error| match error {
        ClassifierError::Normalisation { .. } => UsageError(error.to_string()).into(),
        other => other.into(),
    })
}

/// A class without training images cannot be learnt, and a model must not claim to know it.
fn check_training_images(manifest: &Manifest, architecture: &Architecture) -> Result<()> {
    let shown: BTreeSet<&str> =
        manifest.split(Split::Train).map(|image| image.class.as_str()).collect();
    let unknown: Vec<&str> =
        architecture.classes.iter().map(String::as_str).filter(|it| !shown.contains(it)).collect();
    if !unknown.is_empty() {
        bail!(
            "train a model of {}: there is no training image of it; bring some, or take it out of \
             data.classes in config.yaml (validate's report shows what each split has)",
            unknown.join(", ")
        );
    }
    Ok(())
}

/// The images' classes must be the network's: all of them, and no others.
fn check_classes(manifest: &Manifest, architecture: &Architecture) -> Result<()> {
    let found = manifest.classes();
    if found.names() != architecture.classes {
        bail!(
            "match images and network: the images have the classes {:?}, the network {:?}; run ingest and prepare-base with the same data.classes",
            found.names(),
            architecture.classes
        );
    }
    Ok(())
}
