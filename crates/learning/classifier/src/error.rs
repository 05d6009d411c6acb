use std::path::PathBuf;

use artifact::{Digest, IoError};
use dataset::{ClassIndicesError, ImageFileError};
use imaging::Normalisation;

use crate::features::ByteCount;

/// What can go wrong with a network, its weights or its files.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] IoError),
    /// There is no room for features on the disk.
    #[error(
        "keep features in {}: {source}; {} are needed: free some space, remove them all with \
         make clean-features, keep fewer with features.limit_gigabytes, or go on without with \
         features.on_full_disk: go_without",
        folder.display(), ByteCount(*needed_bytes)
    )]
    FeatureDiskFull {
        /// The store's folder.
        folder: PathBuf,
        /// What would still be added to it in this pass.
        needed_bytes: u64,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// An image is missing, or not the one that was ingested.
    #[error(transparent)]
    Image(#[from] ImageFileError),
    /// `class_indices.json` cannot be used.
    #[error(transparent)]
    Classes(#[from] ClassIndicesError),
    /// libtorch refused.
    #[error("compute with libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// Not a safetensors file, or a truncated one.
    #[error("read {}: not a whole safetensors file: {reason}", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor is missing, superfluous, or of another shape or type.
    #[error("use the weights of {origin}: tensor {name}: expected {expected}, found {found}")]
    Tensor {
        /// Where the tensors came from.
        origin: String,
        /// The tensor.
        name: String,
        /// Shape and type, or "nothing".
        expected: String,
        /// Shape and type, or "nothing".
        found: String,
    },
    /// A file is not the one that was recorded.
    #[error("trust {}: its SHA-256 is {found}, recorded is {recorded}; make it again with dvc repro", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The digest on record.
        recorded: Digest,
        /// The digest of the file as it is.
        found: Digest,
    },
    /// A file written by a later version.
    #[error("read {}: its format is {found}, this program knows {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: u32,
        /// The format expected.
        known: u32,
    },
    /// A file that belongs to another model.
    #[error("use {}: it belongs to the model {recorded}, not to {found}; run calibrate again", path.display())]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The model it belongs to.
        recorded: Digest,
        /// The model there is.
        found: Digest,
    },
    /// Too few images, or all alike, to tell what is foreign.
    #[error(
        "learn what the images have in common: the features of {images} images do not vary; more \
         images are needed"
    )]
    FewFeatures {
        /// How many there are.
        images: usize,
    },
    /// A description, such as `model.json`, does not say what it should.
    #[error("understand {}: {reason}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `freeze: {until: …}` names no layer.
    #[error("freeze until {layer:?}: there is no such layer; VGG16 has {known}")]
    UnknownLayer {
        /// The name given.
        layer: String,
        /// All layer names.
        known: String,
    },
    /// `train.solve.cuts` names no cut point.
    #[error("read the features at {cut:?}: the base has no such cut point; it has {known}")]
    UnknownCut {
        /// The name given.
        cut: String,
        /// All names.
        known: String,
    },
    /// Pixels would be given to weights otherwise than those were trained with them.
    #[error(
        "accept train.normalisation: {asked}: the base's weights ({origin}) were trained with \
         {wanted}; set it to auto, which uses what the weights need"
    )]
    Normalisation {
        /// What is asked for.
        asked: Normalisation,
        /// What the weights were trained with.
        wanted: Normalisation,
        /// Where the weights come from.
        origin: String,
    },
    /// The device that was asked for is not there.
    #[error("use device {device}: {reason}")]
    Device {
        /// The device.
        device: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The loss is NaN or infinite.
    #[error(
        "train on: the loss of epoch {epoch} is {loss}; lower train.descent.learning_rate, or look for broken images"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: u32,
        /// The loss.
        loss: f64,
    },
    /// A picture cannot be decoded.
    #[error("decode {}: {source}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: imaging::DecodeError,
    },
}

impl ClassifierError {
    /// Whether there was no room for features on the disk.
    pub(crate) fn is_full_feature_disk(&self) -> bool {
        matches!(self, Self::FeatureDiskFull { .. })
    }
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, ClassifierError>;
