use std::path::PathBuf;

use zip::CompressionMethod;
use zip::read::ZipFileEntry;

use super::error::Fault;

/// An entry that may be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// As the archive writes it.
    pub(super) name: String,
    /// Relative, without parts that lead outside.
    pub(super) path: PathBuf,
    pub(super) kind: EntryKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Folder,
}

/// Checks an entry's header.
pub(super) fn examine(entry: &ZipFileEntry<'_>) -> Result<Entry, Fault> {
    let name = entry.name().map_err(Fault::of)?.into_owned();
    if entry.encrypted() {
        return Err(Fault::Encrypted { name });
    }
    if let Some(method) = unknown_compression(entry.compression()) {
        return Err(Fault::Compression { name, method });
    }
    let path = plain_path(&name).ok_or_else(|| Fault::Outside { name: name.clone() })?;
    let kind = match entry.unix_mode().map(|mode| mode & FILE_TYPE) {
        _ if entry.is_dir() || name.ends_with(['/', '\\']) => EntryKind::Folder,
        Some(SYMLINK) => return Err(Fault::Link { name }),
        // Archives that were not made on Unix have no type.
        None | Some(0 | REGULAR_FILE) => EntryKind::File,
        Some(_) => return Err(Fault::Special { name }),
    };
    Ok(Entry { name, path, kind })
}

/// The name of an unsupported compression.
fn unknown_compression(method: CompressionMethod) -> Option<String> {
    Some(match method {
        CompressionMethod::STORE
        | CompressionMethod::DEFLATE
        | CompressionMethod::DEFLATE64
        | CompressionMethod::BZIP2
        | CompressionMethod::ZSTD => return None,
        CompressionMethod::LZMA => "LZMA".to_owned(),
        CompressionMethod::XZ => "XZ".to_owned(),
        CompressionMethod::PPMD => "PPMd".to_owned(),
        CompressionMethod::IMPLODE => "implode".to_owned(),
        _ => "a method that is not known".to_owned(),
    })
}

// The file type in a Unix mode, as in <sys/stat.h>.
const FILE_TYPE: u32 = 0o170_000;
const REGULAR_FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// The path of an entry's name, or `None` if it is absolute, holds `..`, a drive, or a NUL, or is
/// empty. Archives made on Windows may have `\` between parts.
fn plain_path(name: &str) -> Option<PathBuf> {
    let name = name.replace('\\', "/");
    if name.starts_with('/') || name.contains('\0') || name.get(1..2) == Some(":") {
        return None;
    }
    let mut path = PathBuf::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => path.push(part),
        }
    }
    (!path.as_os_str().is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_outside_are_no_path() {
        for name in ["../x", "a/../../x", "/etc/x", "\\x", "C:\\x", "a\\..\\x", "a/b\0c", "", "./"]
        {
            assert_eq!(plain_path(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_with_either_slash_are_the_same_path() {
        let path = PathBuf::from("Data/train/a b.png");
        assert_eq!(plain_path("./Data//train/a b.png"), Some(path.clone()));
        assert_eq!(plain_path("Data\\train\\a b.png"), Some(path));
        assert_eq!(plain_path("..a/b..png"), Some(PathBuf::from("..a/b..png")));
    }
}
