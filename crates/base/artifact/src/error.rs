use std::io;
use std::path::{Path, PathBuf};

/// An I/O or format failure, with the action that failed and the path.
#[derive(Debug, thiserror::Error)]
pub enum IoError {
    /// The operating system reported an error.
    #[error("{action} {}: {}", path.display(), explain(source))]
    Io {
        /// The action, as a verb: "read", "create folder".
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// The file exists but is not the JSON that was expected.
    #[error("read {}: not the expected JSON: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: serde_json::Error,
    },
    /// A folder that would be replaced holds files that we did not write.
    #[error(
        "replace {}: it holds files but no {own_file}, so it is not ours to remove; \
         name a new or empty folder",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The file that would show that the folder is ours.
        own_file: &'static str,
    },
}

/// Shorthand for results of file operations.
pub type Result<T> = std::result::Result<T, IoError>;

fn explain(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull => format!("{source}; free some space and run again"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("{source}; check who owns it and whether it may be written")
        }
        _ => source.to_string(),
    }
}

/// Adds the action and the path to an [`io::Result`].
pub trait WithPath<T> {
    /// Names the action ("read", "rename") and the path.
    ///
    /// # Errors
    /// The original error, wrapped.
    fn with_path(self, action: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> WithPath<T> for io::Result<T> {
    fn with_path(self, action: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|source| IoError::Io { action, path: path.as_ref().to_path_buf(), source })
    }
}
