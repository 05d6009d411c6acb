use std::path::PathBuf;

use artifact::{Digest, IoError};
use classifier::ClassifierError;
use download::DownloadError;

/// Weights that cannot be obtained, or are not the required ones.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WeightsError {
    #[error(transparent)]
    File(#[from] IoError),
    /// A tensor is missing, or of another shape or type.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(
        "{source}; weights trained on ImageNet are needed: put those of {base} at {}, which \
         weights/README.md says how to get, or run again where the hub or a mirror (HF_ENDPOINT) \
         can be reached",
        file.display()
    )]
    Missing { source: Box<DownloadError>, file: PathBuf, base: &'static str },
    #[error(
        "fetch the weights of {base}: no commit of {repository} is known here, and a branch can \
         move; set pretrained.repository and pretrained.revision (a commit, from its page on the \
         hub) in config.yaml, or put the file at {}",
        file.display()
    )]
    NoRevision { base: &'static str, repository: String, file: PathBuf },
    #[error(
        "find {}: put a file with the weights of {base} there (weights/README.md says which), name \
         another in config.yaml (pretrained.file) or with --weights-file, or set \
         prepare_base.weights: imagenet, which fetches them",
        path.display()
    )]
    NoFile { path: PathBuf, base: &'static str },
    #[error(
        "read {}: a pickle, which may run any code when it is loaded, is not accepted; convert it:\n  \
         import torch; from safetensors.torch import save_file\n  \
         save_file(torch.load({:?}, weights_only=True), \"weights.safetensors\")",
        path.display(),
        path.file_name().unwrap_or_default().to_string_lossy()
    )]
    Pickle { path: PathBuf },
    #[error("read the header of {origin}: {reason}")]
    Header { origin: String, reason: String },
    #[error("understand what {origin} says of its weights: {key} is {found}")]
    Metadata { origin: String, key: String, found: String },
    #[error("read {}: not a whole HDF5 file, or one that is not understood: {reason}", path.display())]
    Hdf5 { path: PathBuf, reason: String },
    #[error(
        "find {base} in {}: neither Keras' block1_conv1/block1_conv1_W_1:0 nor what its versions \
         since call it is there; expected a file of keras.applications.{base}",
        path.display()
    )]
    NoKerasLayers { path: PathBuf, base: &'static str },
    #[error(
        "read {}: Keras' HDF5 files are read for VGG16 and VGG19, not for {base}; give a \
         safetensors file with timm's names",
        path.display()
    )]
    NotOfKeras { path: PathBuf, base: &'static str },
    #[error(
        "understand the address {address:?}; check endpoints.hugging_face and pretrained in \
         config.yaml, and HF_ENDPOINT in the environment"
    )]
    Address { address: String },
    #[error(
        "trust {origin}: its weights have changed since they were first used: tensor {tensor} \
         now has the SHA-256 {found}; {advice}"
    )]
    Changed { origin: String, tensor: String, found: Digest, advice: String },
}
