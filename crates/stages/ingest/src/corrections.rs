//! The folder of corrections: images to which people gave another class than the model did.
//!
//! It has the files `<class>/<sha256 of the file>.<extension>`, as the prediction server exports
//! them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use artifact::{Digest, IoError, WithPath};
use config::{ClassMap, OnUnreadable};
use rayon::prelude::*;

use crate::inspect::{self, Image, Inspection, Unreadable};
use crate::inventory;
use crate::layout::{LabelledFile, is_hidden};

mod merge;

pub(crate) use merge::CorrectionsReport;

/// The file that explains the folder, and is not a correction.
const README: &str = "README.md";

/// The corrections.
#[derive(Debug, Default)]
pub(crate) struct Corrections {
    folder: PathBuf,
    /// Sorted by path; one content has one class.
    images: Vec<Image>,
    unreadable: Vec<Unreadable>,
}

/// A folder of corrections that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CorrectionsError {
    #[error(transparent)]
    File(#[from] IoError),
    #[error("use it as a folder: it is a file")]
    NotAFolder,
    #[error("tell the class of {path}: a correction lies at <class>/<sha256>.<extension>")]
    Misplaced { path: String },
    #[error("tell the class of {path}: {class:?} is not one of the classes {}", known.join(", "))]
    UnknownClass { path: String, class: String, known: Vec<String> },
    #[error("trust {path}: its name is not the SHA-256 of its content, 64 hexadecimal digits")]
    Name { path: String },
    #[error(
        "trust {path}: the SHA-256 of its content is {found}, not that of its name; remove it, or \
         export it again"
    )]
    Changed { path: String, found: Digest },
    #[error("tell the class of an image that has two: {first} and {second}; remove one of them")]
    TwoClasses { first: String, second: String },
}

impl Corrections {
    /// Reads every correction below `folder`, checks its digest against its name, and decodes it.
    /// None if there is no folder or none is configured.
    pub(crate) fn read(
        folder: Option<&Path>,
        classes: &ClassMap,
        on_unreadable: OnUnreadable,
    ) -> anyhow::Result<Self> {
        let Some(folder) = folder else { return Ok(Self::default()) };
        let context = || format!("read the corrections in {}", folder.display());
        if !is_there(folder).with_context(context)? {
            tracing::debug!("no corrections: {} does not exist", folder.display());
            return Ok(Self::default());
        }
        let files = list(folder, classes).with_context(context)?;
        let Inspection { images, unreadable } =
            inspect::decode_additional(folder, files, on_unreadable).with_context(context)?;
        Ok(Self { folder: folder.to_owned(), images, unreadable })
    }
}

fn is_there(folder: &Path) -> Result<bool, CorrectionsError> {
    match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(true),
        Ok(_) => Err(CorrectionsError::NotAFolder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_path("look at", folder)?,
    }
}

/// The corrections below `folder`, sorted by path, each with its class.
fn list(folder: &Path, classes: &ClassMap) -> anyhow::Result<Vec<LabelledFile>> {
    let corrections = inventory::take(folder)?
        .into_iter()
        .filter(|file| is_correction(&file.path))
        .map(|file| Correction::of_path(file.path, classes))
        .collect::<Result<Vec<_>, _>>()?;
    let found: Vec<_> = corrections
        .par_iter()
        .map(|correction| Digest::of_file(&folder.join(&correction.file.path)))
        .collect();
    // Collected first, so that of several errors the first in order is reported, not the first in
    // time.
    for (correction, found) in corrections.iter().zip(found) {
        let (path, found) = (correction.file.path.clone(), found?);
        if found != correction.sha256 {
            return Err(CorrectionsError::Changed { path, found }.into());
        }
    }
    refuse_two_classes(&corrections)?;
    Ok(corrections.into_iter().map(|correction| correction.file).collect())
}

/// Whether it is not the folder's explanation, not hidden, and not a file that is being written.
fn is_correction(path: &str) -> bool {
    path.split('/').all(|part| part != README && !is_hidden(part) && !artifact::is_temporary(part))
}

/// The parts of a correction's path.
struct Correction {
    file: LabelledFile,
    sha256: Digest,
}

impl Correction {
    fn of_path(path: String, classes: &ClassMap) -> Result<Self, CorrectionsError> {
        let Some((class, name)) = path.split_once('/').filter(|(_, name)| !name.contains('/'))
        else {
            return Err(CorrectionsError::Misplaced { path });
        };
        if !classes.names().any(|known| known == class) {
            let known = classes.names().map(str::to_owned).collect();
            return Err(CorrectionsError::UnknownClass { class: class.to_owned(), known, path });
        }
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let Ok(sha256) = stem.parse() else { return Err(CorrectionsError::Name { path }) };
        let class = class.to_owned();
        Ok(Self { file: LabelledFile { path, split: None, class }, sha256 })
    }
}

fn refuse_two_classes(corrections: &[Correction]) -> Result<(), CorrectionsError> {
    let mut first_of: BTreeMap<Digest, &LabelledFile> = BTreeMap::new();
    for Correction { file, sha256 } in corrections {
        let first = first_of.entry(*sha256).or_insert(file);
        if first.class != file.class {
            return Err(CorrectionsError::TwoClasses {
                first: first.path.clone(),
                second: file.path.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> ClassMap {
        ["benign", "malignant"]
            .map(|it| (it.to_owned(), vec![format!("{it} scans")]))
            .into_iter()
            .collect()
    }

    fn path_of(class: &str, bytes: &[u8]) -> String {
        format!("{class}/{}.png", Digest::of(bytes))
    }

    /// The outcome for a folder with these files.
    fn listed(files: &[(&str, &[u8])]) -> Result<Vec<LabelledFile>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            artifact::write_file(&folder.path().join(path), bytes).unwrap();
        }
        list(folder.path(), &classes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_correction_is_told_from_what_explains_hides_or_is_half_written() {
        let correction = path_of("benign", b"scan");
        let files = listed(&[
            ("README.md", b"what this is"),
            ("benign/README.md", b"what these are"),
            (".gitignore", b"*"),
            ("benign/.DS_Store", b"x"),
            ("benign/scan.png.writing-7-0", b"sc"),
            (&correction, b"scan"),
        ])
        .unwrap();
        let expected =
            LabelledFile { path: correction.clone(), split: None, class: "benign".into() };
        assert_eq!(files, [expected]);
    }

    #[test]
    fn the_class_is_that_of_the_model_and_not_a_folder_of_the_source() {
        let path = path_of("benign scans", b"scan");
        let message = listed(&[(&path, b"scan")]).unwrap_err();
        for part in [path.as_str(), "benign, malignant"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_correction_lies_in_a_folder_of_its_class_and_no_deeper() {
        for path in ["scan.png", "benign/2026/scan.png"] {
            let message = listed(&[(path, b"scan")]).unwrap_err();
            assert!(message.contains(path) && message.contains("<class>/<sha256>"), "{message}");
        }
    }

    #[test]
    fn a_name_that_is_not_the_contents_digest_is_refused() {
        let message = listed(&[("benign/scan.png", b"scan")]).unwrap_err();
        assert!(message.contains("benign/scan.png"), "{message}");
        let path = path_of("benign", b"scan");
        let message = listed(&[(&path, b"another")]).unwrap_err();
        for part in [path, Digest::of(b"another").to_string()] {
            assert!(message.contains(&part), "{message}");
        }
    }

    #[test]
    fn two_classes_for_one_content_are_refused_with_both_names() {
        let (one, other) = (path_of("benign", b"scan"), path_of("malignant", b"scan"));
        let message = listed(&[(&one, b"scan"), (&other, b"scan")]).unwrap_err();
        assert!(message.contains(&one) && message.contains(&other), "{message}");
    }

    #[test]
    fn a_folder_that_is_not_there_or_not_configured_holds_none() {
        let folder = tempfile::tempdir().unwrap();
        for path in [None, Some(folder.path().join("corrections"))] {
            let none = Corrections::read(path.as_deref(), &classes(), OnUnreadable::Fail).unwrap();
            assert!(none.images.is_empty() && none.unreadable.is_empty());
        }
        let file = folder.path().join("file");
        artifact::write_file(&file, b"x").unwrap();
        let error = Corrections::read(Some(&file), &classes(), OnUnreadable::Fail).unwrap_err();
        assert!(format!("{error:#}").contains("it is a file"), "{error:#}");
    }
}
