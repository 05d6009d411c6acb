use std::path::PathBuf;

use artifact::{Digest, IoError};
use classifier::ClassifierError;
use download::DownloadError;

/// Weights that cannot be had, or are not those that are needed.
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
        "{source}; to do without a network, put a safetensors file with torchvision's VGG16 at \
         {} and set prepare_base.weights: file",
        file.display()
    )]
    Offline { source: DownloadError, file: PathBuf },
    #[error(
        "find {}: put a safetensors file with torchvision's VGG16 there, name another in \
         config.yaml (pretrained.file) or with --weights-file, or set prepare_base.weights: random",
        path.display()
    )]
    NoFile { path: PathBuf },
    #[error(
        "read {}: a pickle, which may run any code when it is loaded, is not accepted; convert it:\n  \
         import torch; from safetensors.torch import save_file\n  \
         save_file(torch.load({:?}, weights_only=True), \"vgg16.safetensors\")",
        path.display(),
        path.file_name().unwrap_or_default().to_string_lossy()
    )]
    Pickle { path: PathBuf },
    #[error("read the header of {origin}: {reason}")]
    Header { origin: String, reason: String },
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
