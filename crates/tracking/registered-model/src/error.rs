use artifact::{Digest, IoError};
use classifier::ClassifierError;

/// The result of packing or fetching a model.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model cannot be packed or fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] IoError),
    /// The model folder cannot be used.
    #[error(transparent)]
    Model(#[from] ClassifierError),
    /// The server refuses or cannot be reached.
    #[error(transparent)]
    Server(#[from] mlflow::Error),
    /// The version was not registered by this project's `register`.
    #[error(
        "read {version}: it has no tag {tag}, so that `register` did not make it; only models of \
         this project can be fetched"
    )]
    Foreign {
        /// The version.
        version: String,
        /// The missing tag.
        tag: &'static str,
    },
    /// A file is not the registered one.
    #[error(
        "trust {file} of {version}: its SHA-256 is {found}, registered was {recorded}; the \
         server's file was changed or damaged"
    )]
    Changed {
        /// The version.
        version: String,
        /// The file among its artifacts.
        file: String,
        /// The digest that was registered.
        recorded: Digest,
        /// The digest of the downloaded file.
        found: Digest,
    },
    /// The list of files is not one of ours.
    #[error("read {file} of {version}: {reason}")]
    List {
        /// The version.
        version: String,
        /// The file among its artifacts.
        file: String,
        /// The error.
        reason: String,
    },
}
