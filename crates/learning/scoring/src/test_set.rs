//! The images that the model is scored on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use artifact::{Digest, WithPath};
use classifier::features::ImageRequest;
use config::ClassMap;
use dataset::{
    ClassIndex, ClassIndices, ClassIndicesError, ManifestError, Split, ValidatedManifest,
};
use walkdir::WalkDir;

/// One image of known class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestImage {
    /// Its name: its path in the manifest, or below the folder it came from.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The digest that the file must have.
    pub sha256: Digest,
    /// Its class.
    pub actual: ClassIndex,
    /// Images of one group are right or wrong together: copies, one scan, one patient.
    pub group: u32,
    /// Whether training has a copy of it.
    pub has_copy_in_training: bool,
}

impl TestImage {
    /// The request to an extractor.
    pub fn request(&self) -> ImageRequest {
        ImageRequest { path: self.file.clone(), sha256: self.sha256, view: None }
    }
}

/// All test images.
#[derive(Debug, Clone)]
pub struct TestSet {
    /// Its images.
    pub images: Vec<TestImage>,
    /// The unit that a score counts.
    pub unit: Unit,
}

/// The unit that a score counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Images; their patients are known, and intervals are over patients.
    Patients,
    /// Images; their patients are not known.
    Slices,
}

impl Unit {
    /// A note for reading a score.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Patients => "per slice, intervals over patients",
            Self::Slices => "per slice, patients unknown: optimistic",
        }
    }
}

/// Why there is nothing to score.
#[derive(Debug, thiserror::Error)]
pub enum TestSetError {
    /// The manifest has no test images.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The folder cannot be read.
    #[error(transparent)]
    File(#[from] artifact::IoError),
    /// An image is of a class that the model does not have.
    #[error("score {name}: {source}; train on the present data, or ingest the model's")]
    Class {
        /// The image.
        name: String,
        /// The class.
        #[source]
        source: ClassIndicesError,
    },
    /// None of an image's folders shows its class.
    #[error(
        "tell the class of {name}: none of its folders is listed in data.classes of config.yaml, \
         which knows {known}"
    )]
    NoClass {
        /// The image.
        name: String,
        /// The classes that exist.
        known: String,
    },
    /// There is no image.
    #[error("score {}: it holds no image; expected <class>/… below it", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
}

impl TestSet {
    /// The test split.
    ///
    /// # Errors
    /// When it is empty, or has an image of a class that the model does not have.
    pub fn of_split(
        validated: &ValidatedManifest,
        classes: &ClassIndices,
    ) -> Result<Self, TestSetError> {
        Self::of(validated, classes, Split::Test)
    }

    /// The images of any split, for comparing the test images with them.
    ///
    /// # Errors
    /// As [`of_split`](Self::of_split).
    pub fn of(
        validated: &ValidatedManifest,
        classes: &ClassIndices,
        split: Split,
    ) -> Result<Self, TestSetError> {
        let manifest = validated.included();
        let known = validated.by_path();
        let in_training = validated.duplicate_groups_in_training();
        let images = manifest
            .non_empty_split(split)?
            .into_iter()
            .map(|record| {
                let known = known[record.path.as_str()];
                Ok(TestImage {
                    name: record.path.clone(),
                    file: manifest.file_of(record),
                    sha256: record.sha256,
                    actual: class_index(classes, &record.class, &record.path)?,
                    group: known.group.0,
                    has_copy_in_training: known
                        .duplicate_group
                        .is_some_and(|group| in_training.contains(&group)),
                })
            })
            .collect::<Result<_, TestSetError>>()?;
        let unit = if validated.knows_patients() { Unit::Patients } else { Unit::Slices };
        Ok(Self { images, unit })
    }

    /// Every image below a folder; its class is that of the nearest folder above it that
    /// `data.classes` knows. Images of the same content are one group; images whose content is also
    /// in training are copies.
    ///
    /// # Errors
    /// When the folder cannot be read, has no image, or an image's class is unknown or is not the
    /// model's.
    pub fn of_folder(
        folder: &Path,
        class_map: &ClassMap,
        classes: &ClassIndices,
        validated: Option<&ValidatedManifest>,
    ) -> Result<Self, TestSetError> {
        let trained = training_contents(validated);
        let mut contents: BTreeMap<Digest, u32> = BTreeMap::new();
        let mut images = Vec::new();
        for file in files_below(folder)? {
            let bytes = artifact::read_bytes(&file)?;
            if imaging::looks_like_image(&bytes).is_none()
                || imaging::dicom::object_without_image(&bytes).is_some()
            {
                continue;
            }
            let name = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
            let class =
                class_of(folder, &file, class_map).ok_or_else(|| TestSetError::NoClass {
                    name: name.clone(),
                    known: class_map.names().collect::<Vec<_>>().join(", "),
                })?;
            let sha256 = Digest::of(&bytes);
            let next_group = contents.len() as u32;
            let group = *contents.entry(sha256).or_insert(next_group);
            images.push(TestImage {
                actual: class_index(classes, class, &name)?,
                has_copy_in_training: trained.contains(&sha256),
                group,
                name,
                file,
                sha256,
            });
        }
        if images.is_empty() {
            return Err(TestSetError::Empty { folder: folder.to_owned() });
        }
        Ok(Self { images, unit: Unit::Slices })
    }

    /// Groups for intervals.
    pub fn groups(&self) -> metrics::Groups {
        metrics::Groups::of(self.images.iter().map(|image| image.group))
    }

    /// The positions of the images that `belongs` accepts.
    pub fn places(&self, belongs: impl Fn(&TestImage) -> bool) -> Vec<usize> {
        let all = self.images.iter().enumerate();
        all.filter(|(_, image)| belongs(image)).map(|(place, _)| place).collect()
    }

    /// A set of some of its images.
    pub fn select(&self, places: &[usize]) -> Self {
        let images = places.iter().map(|place| self.images[*place].clone()).collect();
        Self { images, unit: self.unit }
    }
}

fn class_index(
    classes: &ClassIndices,
    class: &str,
    name: &str,
) -> Result<ClassIndex, TestSetError> {
    classes.index(class).map_err(|source| TestSetError::Class { name: name.to_owned(), source })
}

fn training_contents(validated: Option<&ValidatedManifest>) -> BTreeSet<Digest> {
    let records = validated.map_or(&[][..], ValidatedManifest::records);
    let training = records
        .iter()
        .filter(|record| record.excluded.is_none() && record.image.split == Split::Train);
    training.map(|record| record.image.sha256).collect()
}

/// All files below a folder, sorted.
fn files_below(folder: &Path) -> artifact::Result<Vec<PathBuf>> {
    WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter(|entry| entry.as_ref().map_or(true, |entry| entry.file_type().is_file()))
        .map(|entry| {
            entry
                .map(walkdir::DirEntry::into_path)
                .map_err(std::io::Error::from)
                .with_path("list", folder)
        })
        .collect()
}

fn class_of<'a>(folder: &Path, file: &Path, classes: &'a ClassMap) -> Option<&'a str> {
    file.ancestors()
        .skip(1)
        // The given folder may itself be that of a class.
        .take_while(|above| above.starts_with(folder))
        .filter_map(|above| above.file_name()?.to_str())
        .find_map(|name| classes.class_of_folder(name).or_else(|| class_named(classes, name)))
}

/// A folder may also have the class's own name.
fn class_named<'a>(classes: &'a ClassMap, name: &str) -> Option<&'a str> {
    classes.names().find(|class| class.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> ClassMap {
        [
            ("cancer".to_owned(), vec!["adeno".to_owned(), "squamous".to_owned()]),
            ("normal".to_owned(), vec!["healthy".to_owned()]),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn the_nearest_known_folder_tells_the_class() {
        let class = |file: &str| class_of("set".as_ref(), file.as_ref(), &map()).map(str::to_owned);
        assert_eq!(class("set/healthy/Adeno/1.png").as_deref(), Some("cancer"));
        assert_eq!(class("set/test/normal/p1/1.png").as_deref(), Some("normal"));
        assert_eq!(class("set/other/1.png"), None);
        assert_eq!(class("elsewhere/adeno/1.png"), None);
    }

    #[test]
    fn a_folder_without_images_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        artifact::write_file(&folder.path().join("adeno/notes.txt"), b"no picture").unwrap();
        let classes = ClassIndices::of_names(["cancer", "normal"]);
        let error = TestSet::of_folder(folder.path(), &map(), &classes, None).unwrap_err();
        assert!(error.to_string().contains("holds no image"), "{error}");
    }
}
