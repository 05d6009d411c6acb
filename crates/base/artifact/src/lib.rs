//! The files through which stages pass results to each other.
//!
//! Every file is written whole or not at all ([`write_file`], [`write_json`]), a folder is
//! published in one rename ([`publish_folder`]), and every I/O error names its path. Nothing here
//! knows what the files mean.

mod digest;
mod error;
mod file;
mod folder;

pub use digest::{Digest, InvalidDigest, Sha256Writer};
pub use error::{IoError, Result, WithPath};
pub use file::{
    create_folder, read_bytes, read_json, read_text, write_file, write_json, write_through,
    write_with,
};
pub use folder::{
    StagedFolder, is_temporary, publish_folder, remove_folder, remove_stale_temporaries,
};
