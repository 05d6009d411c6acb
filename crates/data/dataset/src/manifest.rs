use std::path::{Path, PathBuf};

use artifact::{Digest, IoError};
use serde::{Deserialize, Serialize};

use crate::{ClassIndices, ClassIndicesError, Split};

/// The manifest's name in the folder it describes.
pub const MANIFEST_FILE: &str = "manifest.csv";

/// One image: a row of `manifest.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecord {
    /// The file's path, relative to the manifest's folder, with `/` between parts.
    pub path: String,
    /// Its split.
    pub split: Split,
    /// Its class.
    pub class: String,
    /// The digest of the file's bytes.
    pub sha256: Digest,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Every image of a data set, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    folder: PathBuf,
    records: Vec<ImageRecord>,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] IoError),
    /// A row that is not as expected.
    #[error("read {}: {source}", path.display())]
    Row {
        /// The manifest.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: csv::Error,
    },
    /// A row that is not allowed.
    #[error("read {}: the image {image:?} {reason}", path.display())]
    Image {
        /// The manifest.
        path: PathBuf,
        /// The image's path in it.
        image: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A row whose class is not allowed.
    #[error("read {}: {source}", path.display())]
    Class {
        /// The manifest.
        path: PathBuf,
        /// The class, and the reason.
        #[source]
        source: ClassIndicesError,
    },
    /// No images at all in a split that is needed.
    #[error(
        "find {split} images: {} lists none; give the split a share in params.yaml (ingest.split), or bring \
         more images, or patients: validate's report shows what each split has",
        path.display()
    )]
    EmptySplit {
        /// The manifest.
        path: PathBuf,
        /// The split.
        split: Split,
    },
}

impl Manifest {
    /// A manifest of images below `folder`; the records are sorted by path.
    pub fn new(folder: impl Into<PathBuf>, mut records: Vec<ImageRecord>) -> Self {
        records.sort_by(|a, b| a.path.cmp(&b.path));
        Self { folder: folder.into(), records }
    }

    /// Reads `manifest.csv` from a folder.
    ///
    /// # Errors
    /// When it is missing, a row does not fit (the error names the line), a path leads out of the
    /// folder, or an image appears twice.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(MANIFEST_FILE);
        let text = artifact::read_bytes(&path)?;
        let records = csv::Reader::from_reader(text.as_slice())
            .deserialize()
            .collect::<Result<Vec<ImageRecord>, _>>()
            .map_err(|source| ManifestError::Row { path: path.clone(), source })?;
        let manifest = Self::new(folder, records);
        manifest.check(&path)?;
        Ok(manifest)
    }

    fn check(&self, path: &Path) -> Result<(), ManifestError> {
        let refuse = |record: &ImageRecord, reason| {
            let (path, image) = (path.to_owned(), record.path.clone());
            Err(ManifestError::Image { path, image, reason })
        };
        if let Some(record) = self.records.iter().find(|record| !is_plain_relative(&record.path)) {
            return refuse(record, "is not at a plain path below the manifest's folder");
        }
        if let Some(pair) = self.records.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return refuse(&pair[0], "is listed twice");
        }
        let of_file = |source| ManifestError::Class { path: path.to_owned(), source };
        self.classes().check_names().map_err(of_file)
    }

    /// Writes `manifest.csv` into `folder`, which may differ from the folder it was made for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ManifestError> {
        let path = folder.join(MANIFEST_FILE);
        artifact::write_with(&path, |file| {
            let mut writer = csv::Writer::from_writer(file);
            for record in &self.records {
                writer.serialize(record).map_err(std::io::Error::other)?;
            }
            writer.flush()
        })?;
        Ok(())
    }

    /// Every image, sorted by path.
    pub fn records(&self) -> &[ImageRecord] {
        &self.records
    }

    /// The images of one split, sorted by path.
    pub fn split(&self, split: Split) -> impl Iterator<Item = &ImageRecord> {
        self.records.iter().filter(move |record| record.split == split)
    }

    /// The images of one split, which must not be empty.
    ///
    /// # Errors
    /// When there are none.
    pub fn non_empty_split(&self, split: Split) -> Result<Vec<&ImageRecord>, ManifestError> {
        let images: Vec<_> = self.split(split).collect();
        if images.is_empty() {
            return Err(ManifestError::EmptySplit { path: self.folder.join(MANIFEST_FILE), split });
        }
        Ok(images)
    }

    /// The manifest of the images that `keep` accepts.
    pub fn filtered(&self, keep: impl Fn(&ImageRecord) -> bool) -> Self {
        let records = self.records.iter().filter(|record| keep(record)).cloned().collect();
        Self { folder: self.folder.clone(), records }
    }

    /// The same images with other splits, one for each record in order.
    ///
    /// # Panics
    /// When there are not as many splits as images.
    #[must_use]
    pub fn with_splits(&self, splits: &[Split]) -> Self {
        assert_eq!(splits.len(), self.records.len(), "a split for each image");
        let record = |(record, split): (&ImageRecord, &Split)| ImageRecord {
            split: *split,
            ..record.clone()
        };
        let records = self.records.iter().zip(splits).map(record).collect();
        Self { folder: self.folder.clone(), records }
    }

    /// Where an image's file lies.
    pub fn file_of(&self, record: &ImageRecord) -> PathBuf {
        self.folder.join(&record.path)
    }

    /// The classes that occur, indexed alphabetically.
    pub fn classes(&self) -> ClassIndices {
        ClassIndices::of_names(self.records.iter().map(|record| record.class.as_str()))
    }

    /// The digest of the manifest's content: paths, splits, classes and digests. Two data sets with
    /// the same digest train the same model.
    pub fn digest(&self) -> Digest {
        Digest::of_fields(self.records.iter().flat_map(|record| {
            [
                record.path.clone().into_bytes(),
                record.split.name().as_bytes().to_vec(),
                record.class.clone().into_bytes(),
                record.sha256.as_bytes().to_vec(),
            ]
        }))
    }
}

/// Whether a path has only names, each below the one before.
fn is_plain_relative(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_elsewhere_and_a_doubled_row_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = |paths: &[&str]| {
            let records = paths.iter().map(|path| record(path, Split::Train)).collect();
            Manifest::new(folder.path(), records).write(folder.path()).unwrap();
            Manifest::read(folder.path()).unwrap_err().to_string()
        };
        for path in ["/etc/passwd", "../x.png", "train/../../x.png", "./x.png", "a//b.png", ""] {
            let message = refusal(&["train/a.png", path]);
            assert!(message.contains(&format!("{path:?}")), "{message}");
        }
        let message = refusal(&["train/a.png", "train/b.png", "train/a.png"]);
        assert!(message.contains("train/a.png") && message.contains("twice"), "{message}");
    }

    fn record(path: &str, split: Split) -> ImageRecord {
        ImageRecord {
            path: path.into(),
            split,
            class: "normal".into(),
            sha256: Digest::of(path.as_bytes()),
            width: 3,
            height: 2,
        }
    }

    #[test]
    fn manifest_reads_back_as_written_sorted_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let records = vec![
            record("train/normal/é, b.png", Split::Train),
            record("test/normal/a.png", Split::Test),
        ];
        let manifest = Manifest::new(folder.path(), records);
        manifest.write(folder.path()).unwrap();
        let read = Manifest::read(folder.path()).unwrap();
        assert_eq!(read, manifest);
        assert_eq!(read.records()[0].path, "test/normal/a.png");
    }

    #[test]
    fn header_is_the_documented_one() {
        let folder = tempfile::tempdir().unwrap();
        Manifest::new(folder.path(), vec![record("a", Split::Valid)]).write(folder.path()).unwrap();
        let text = artifact::read_text(&folder.path().join(MANIFEST_FILE)).unwrap();
        assert_eq!(text.lines().next().unwrap(), "path,split,class,sha256,width,height");
    }

    #[test]
    fn a_bad_row_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let text = "path,split,class,sha256,width,height\na,nowhere,c,00,1,1\n";
        artifact::write_file(&folder.path().join(MANIFEST_FILE), text.as_bytes()).unwrap();
        let message = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("manifest.csv") && message.contains("line: 2"), "{message}");
    }

    #[test]
    fn digest_follows_split_class_and_content_but_not_the_folder() {
        let one = Manifest::new("x", vec![record("a", Split::Train)]);
        let moved = Manifest::new("y", vec![record("a", Split::Train)]);
        let other_split = Manifest::new("x", vec![record("a", Split::Test)]);
        assert_eq!(one.digest(), moved.digest());
        assert_ne!(one.digest(), other_split.digest());
    }

    #[test]
    fn an_empty_split_says_so() {
        let manifest = Manifest::new("x", vec![record("a", Split::Train)]);
        let message = manifest.non_empty_split(Split::Valid).unwrap_err().to_string();
        assert!(message.starts_with("find valid images: "), "{message}");
    }
}
