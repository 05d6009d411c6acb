//! Lists every file of a source, classified by content and not by name.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use artifact::{IoError, WithPath};
use rayon::prelude::*;
use walkdir::WalkDir;

mod unsupported;

pub(crate) use unsupported::Unsupported;

/// A file of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Relative to the source's folder, with `/` between parts.
    pub(crate) path: String,
    pub(crate) content: Content,
}

/// The kind of a file before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// It starts like an image, or has an image's name: it must be decodable.
    Image,
    /// A DICOM file without an image: a directory, a report, a plan.
    DicomWithoutImage,
    /// It may hold pictures, in an unsupported format.
    Unsupported(Unsupported),
    /// A link to a missing file.
    DanglingLink,
    /// Any other content.
    Other,
}

/// A source that cannot be listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InventoryError {
    #[error(transparent)]
    File(#[from] IoError),
    #[error("list {}: {source}", folder.display())]
    Walk {
        folder: PathBuf,
        #[source]
        source: walkdir::Error,
    },
    #[error(
        "list {}: the name is not UTF-8, and manifest.csv cannot hold it; rename the file",
        path.display()
    )]
    Name { path: PathBuf },
}

/// Lists every file below `folder`, sorted by path. Symbolic links of a user's folder are
/// followed; a loop is an error.
pub(crate) fn take(folder: &Path) -> Result<Vec<SourceFile>, InventoryError> {
    let mut paths = Vec::new();
    let mut dangling = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                dangling.push(link_to_nothing(error, folder)?);
                continue;
            }
        };
        if entry.file_type().is_file() {
            paths.push(relative_path(entry.path(), folder)?);
        }
    }
    let mut files = paths
        .into_par_iter()
        .map(|path| {
            let content = content_of(&folder.join(&path))?;
            Ok(SourceFile { path, content })
        })
        .collect::<Result<Vec<_>, InventoryError>>()?;
    let dangling = dangling.into_iter();
    files.extend(dangling.map(|path| SourceFile { path, content: Content::DanglingLink }));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The path of a link to a missing file; other errors are passed on.
fn link_to_nothing(error: walkdir::Error, folder: &Path) -> Result<String, InventoryError> {
    let is_missing = error.io_error().is_some_and(|it| it.kind() == ErrorKind::NotFound);
    match error.path().filter(|path| is_missing && path.is_symlink()) {
        Some(path) => relative_path(path, folder),
        None => Err(InventoryError::Walk { folder: folder.to_path_buf(), source: error }),
    }
}

fn relative_path(path: &Path, folder: &Path) -> Result<String, InventoryError> {
    let not_utf8 = || InventoryError::Name { path: path.to_path_buf() };
    let relative = path.strip_prefix(folder).unwrap_or(path);
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    Ok(parts.ok_or_else(not_utf8)?.join("/"))
}

/// Enough to see what kind of object a DICOM file holds.
pub(crate) const HEAD_BYTES: u64 = 1024;

fn content_of(path: &Path) -> Result<Content, IoError> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .with_path("read", path)?;
    Ok(Content::of_head(path, &head))
}

impl Content {
    /// By the name of a file and its first [`HEAD_BYTES`].
    pub(crate) fn of_head(path: &Path, head: &[u8]) -> Self {
        if imaging::dicom::object_without_image(head).is_some() {
            Self::DicomWithoutImage
        } else if imaging::looks_like_image(head).is_some() || is_named_like_an_image(path) {
            Self::Image
        } else {
            Unsupported::of(path, head).map_or(Self::Other, Self::Unsupported)
        }
    }
}

fn is_named_like_an_image(path: &Path) -> bool {
    const EXTENSIONS: [&str; 10] =
        ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "gif", "dcm", "dicom"];
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|found| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(found)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";

    #[test]
    fn files_are_known_by_content_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut slice = vec![0; 128];
        slice.extend(b"DICM");
        // The length of its head, and the class of directories in it.
        let mut directory = slice.clone();
        directory.extend(b"\x02\0\0\0UL\x04\0\x1c\0\0\0");
        directory.extend(b"\x02\0\x02\0UI\x14\x001.2.840.10008.1.3.10\0");
        for (name, bytes) in [
            ("scan", PNG_MAGIC),
            ("broken.PNG", b"nothing"),
            ("slice", &slice),
            ("DICOMDIR", &directory),
            ("old.dcm", b"nothing"),
            ("notes.txt", b"read me"),
        ] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let found: Vec<_> = take(folder.path())
            .unwrap()
            .into_iter()
            .map(|file| (file.path, file.content))
            .collect();
        let expected = [
            ("DICOMDIR", Content::DicomWithoutImage),
            ("broken.PNG", Content::Image),
            ("notes.txt", Content::Other),
            ("old.dcm", Content::Image),
            ("scan", Content::Image),
            ("slice", Content::Image),
        ];
        assert_eq!(found, expected.map(|(path, content)| (path.to_owned(), content)));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nothing_is_listed_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("gone.png", folder.path().join("scan.png")).unwrap();
        let expected = SourceFile { path: "scan.png".into(), content: Content::DanglingLink };
        assert_eq!(take(folder.path()).unwrap(), [expected]);
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        assert!(take(folder.path()).unwrap_err().to_string().contains("loop"));
    }
}
