use std::io;
use std::path::PathBuf;

use artifact::IoError;
use zip::result::ZipError;

/// An archive that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExtractError {
    #[error(transparent)]
    File(#[from] IoError),
    #[error("unpack {}: {fault}", archive.display())]
    Refused {
        archive: PathBuf,
        #[source]
        fault: Fault,
    },
}

/// The fault of an archive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("not a zip file; it starts with \"{start}\"{}", if *.is_page {
        ": a web page was saved in its place; download it again, logged in where that is needed"
    } else { "" })]
    NotAZip { start: String, is_page: bool },
    #[error("truncated or damaged: {reason}; download or copy it again")]
    Damaged { reason: String },
    #[error("{name:?} is encrypted; unpack it with its password and name the folder as source")]
    Encrypted { name: String },
    #[error(
        "{name:?} is packed by {method}, which is not read here; pack it again with deflate \
         (zip, or 7z -mm=Deflate), or unpack it and name the folder as source"
    )]
    Compression { name: String, method: String },
    #[error("{name:?} leads outside the folder it is unpacked to; do not trust this archive")]
    Outside { name: String },
    #[error(
        "{name:?} is a symbolic link, which is not followed; \
         pack the files themselves (zip without --symlinks)"
    )]
    Link { name: String },
    #[error("{name:?} is neither a file nor a folder")]
    Special { name: String },
    #[error("it lists the same name twice, so its content is not clear; pack it anew")]
    DuplicateNames,
    #[error("entries share the same packed bytes, as in a zip bomb or a damaged file")]
    Overlap,
    #[error(transparent)]
    Limit(#[from] Limit),
    #[error("{0}")]
    Unsupported(String),
}

/// A limit of `extraction` in `config.yaml` that is exceeded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Limit {
    #[error("it has {found} entries, and extraction.max_entries in config.yaml allows {most}")]
    Entries { found: u64, most: u64 },
    #[error(
        "it unpacks to more than the {most} bytes that extraction.max_total_bytes in config.yaml \
         allows"
    )]
    Total { most: u64 },
    #[error(
        "{name:?} unpacks to more than {most} times its packed size, as a zip bomb does; \
         extraction.max_ratio in config.yaml allows no more"
    )]
    Ratio { name: String, most: u64 },
}

impl Fault {
    pub(super) fn not_a_zip(start: &[u8]) -> Self {
        let text = String::from_utf8_lossy(start).trim_start().to_ascii_lowercase();
        let is_page = text.starts_with("<!doctype html") || text.starts_with("<html");
        Self::NotAZip { start: start.escape_ascii().to_string(), is_page }
    }

    /// The directory at the archive's end is missing.
    pub(super) fn without_directory(error: ZipError) -> Self {
        match error {
            ZipError::InvalidArchive(_) => Self::Damaged {
                reason: "the list of its files, which stands at its end, is missing or broken"
                    .to_owned(),
            },
            other => Self::of(other),
        }
    }

    pub(super) fn of(error: ZipError) -> Self {
        match error {
            ZipError::InvalidArchive(reason) => Self::Damaged { reason: reason.into_owned() },
            ZipError::Io(error) => Self::Damaged { reason: error.to_string() },
            other => Self::Unsupported(other.to_string()),
        }
    }

    /// The packed bytes of an entry cannot be unpacked.
    pub(super) fn damaged(name: &str, error: &io::Error) -> Self {
        Self::Damaged { reason: format!("{name:?}: {error}") }
    }
}
