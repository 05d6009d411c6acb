use std::path::PathBuf;

use artifact::{Digest, IoError};
use dataset::{ClassIndicesError, ImageFileError};
use imaging::Normalisation;

use crate::features::ByteCount;

/// An error with a network, its weights or its files.
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
        /// The bytes that this pass would still add.
        needed_bytes: u64,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// An image is missing, or is not the ingested one.
    #[error(transparent)]
    Image(#[from] ImageFileError),
    /// `class_indices.json` cannot be used.
    #[error(transparent)]
    Classes(#[from] ClassIndicesError),
    /// libtorch reported an error.
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
        /// The origin of the tensors.
        origin: String,
        /// The tensor.
        name: String,
        /// Shape and type, or "nothing".
        expected: String,
        /// Shape and type, or "nothing".
        found: String,
    },
    /// A file is not the recorded one.
    #[error("trust {}: its SHA-256 is {found}, recorded is {recorded}; make it again with dvc repro", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The digest on record.
        recorded: Digest,
        /// The digest of the file now.
        found: Digest,
    },
    /// A file written by a later version.
    #[error("read {}: its format is {found}, this program knows {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format found.
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
        /// The model found.
        found: Digest,
    },
    /// Too few images, or all equal, to learn which images are foreign.
    #[error(
        "learn what the images have in common: the features of {images} images do not vary; more \
         images are needed"
    )]
    FewFeatures {
        /// Number of images.
        images: usize,
    },
    /// The content of a description, such as `model.json`, is wrong.
    #[error("understand {}: {reason}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Models that cannot answer as one.
    #[error("make one of several models: {reason}")]
    Ensemble {
        /// Why not.
        reason: String,
    },
    /// An image that is not the model's input.
    #[error("see an image of {found} values: the model wants {expected}")]
    InputSize {
        /// What the model wants.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// Activations for several networks at once.
    #[error("predict from activations: an ensemble of {members} models sees images")]
    ActivationsOfMany {
        /// How many there are.
        members: usize,
    },
    /// `freeze: {until: …}` names no layer.
    #[error("freeze until {layer:?}: there is no such layer; {base} has {known}")]
    UnknownLayer {
        /// The name given.
        layer: String,
        /// The base.
        base: &'static str,
        /// All layer names.
        known: String,
    },
    /// `prepare_base.architecture` names no base.
    #[error("make the base {base:?}: there is none of that name; there are {known}")]
    UnknownBase {
        /// The name given.
        base: String,
        /// All names.
        known: String,
    },
    /// The base cannot see images of this size.
    #[error(
        "show {base} images of {image_size} × {image_size} pixels: it needs 32 or more, and a \
         multiple of {unit}"
    )]
    ImageSize {
        /// The base.
        base: &'static str,
        /// What the size must be a multiple of, in pixels.
        unit: u32,
        /// Height and width, in pixels.
        image_size: u32,
    },
    /// Stochastic depth where there is nothing to leave out.
    #[error("leave out branches of {base}: it has none; set prepare_base.stochastic_depth to 0")]
    NoBranches {
        /// The base.
        base: &'static str,
    },
    /// `train.solve.cuts` names no cut point.
    #[error("read the features at {cut:?}: {base} has no such cut point; it has {known}")]
    UnknownCut {
        /// The name given.
        cut: String,
        /// The base.
        base: &'static str,
        /// All names.
        known: String,
    },
    /// The pixels would be normalised differently from the weights' training.
    #[error(
        "accept train.normalisation: {asked}: the base's weights ({origin}) were trained with \
         {wanted}; set it to auto, which uses what the weights need"
    )]
    Normalisation {
        /// The requested normalisation.
        asked: Normalisation,
        /// The normalisation that the weights were trained with.
        wanted: Normalisation,
        /// The origin of the weights.
        origin: String,
    },
    /// The requested device does not exist.
    #[error("use device {device}: {reason}")]
    Device {
        /// The device.
        device: String,
        /// The reason, and what to do.
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
