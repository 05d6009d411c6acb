//! What a model says about images that it was not trained on: `model/held_out.safetensors`.
//!
//! `calibrate` writes it; `ensemble` weighs models by it. It names images by the digest of their
//! content, and by nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use artifact::Digest;
use config::Flip;
use serde::{Deserialize, Serialize};

use crate::description::ModelDescription;
use crate::tensors::{self, HostTensor, TensorMap};
use crate::{ClassifierError, Result};

/// The logits of images, each by a head that was not trained on it.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// The images: validation images without a copy in training, then training images that were
    /// predicted out of fold.
    pub images: Vec<HeldOutImage>,
    /// The logits of each, one value per class: of the picture as it is and of each flip that
    /// `calibrate.flips` names.
    pub logits: BTreeMap<Flip, Vec<Vec<f32>>>,
}

/// One of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOutImage {
    /// The digest of its content.
    pub sha256: Digest,
    /// Its class, by number.
    pub class: usize,
    /// Images of one group are right or wrong together: copies, one scan, one patient.
    pub group: u32,
    /// Whether it is a training image, predicted by another head than the model's.
    pub out_of_fold: bool,
}

/// What the file says beside the logits.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format: u32,
    /// The digest of the weights that it belongs to.
    model: Digest,
    images: Vec<HeldOutImage>,
}

impl HeldOut {
    /// The format this version writes and reads.
    pub const FORMAT: u32 = 1;
    /// The file's name in the model folder.
    pub const FILE: &str = "held_out.safetensors";

    /// Writes it into a model folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path, model: &ModelDescription) -> Result<()> {
        let images = self.images.clone();
        let metadata = Metadata { format: Self::FORMAT, model: model.digests.weights, images };
        let classes = model.architecture.classes.len();
        let tensor = |(flip, rows): (&Flip, &Vec<Vec<f32>>)| {
            (flip.to_string(), HostTensor::new(&[rows.len(), classes], rows.concat()))
        };
        let tensors: TensorMap = self.logits.iter().map(tensor).collect();
        tensors::write(&folder.join(Self::FILE), &tensors, &metadata)?;
        Ok(())
    }

    /// Reads it from a model folder.
    ///
    /// # Errors
    /// When it is missing, damaged, or of another model.
    pub fn read(folder: &Path, model: &ModelDescription) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let file = tensors::read::<Metadata>(&path)?;
        let Metadata { format, model: recorded, images } = file.metadata;
        if format != Self::FORMAT {
            return Err(ClassifierError::Format { path, found: format, known: Self::FORMAT });
        }
        let found = model.digests.weights;
        if recorded != found {
            return Err(ClassifierError::OtherModel { path, recorded, found });
        }
        let classes = model.architecture.classes.len();
        let refuse = |reason: String| {
            let path = path.clone();
            Err(ClassifierError::Description { path, reason })
        };
        if images.iter().any(|image| image.class >= classes) {
            return refuse(format!("an image is of a class beyond the {classes} of the model"));
        }
        let mut logits = BTreeMap::new();
        for flip in [Flip::None, Flip::Horizontal, Flip::Vertical, Flip::Both] {
            let Some(tensor) = file.tensors.get(&flip.to_string()) else { continue };
            if tensor.shape() != [images.len(), classes]
                || tensor.values().iter().any(|value| !value.is_finite())
            {
                return refuse(format!("its logits of flip {flip} are not one row for each image"));
            }
            let rows = tensor.values().chunks_exact(classes).map(<[f32]>::to_vec);
            logits.insert(flip, rows.collect());
        }
        if !logits.contains_key(&Flip::None) {
            return refuse("it has no logits of the pictures as they are".into());
        }
        Ok(Self { images, logits })
    }
}
