use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ImageRecord, MANIFEST_FILE, Manifest, ManifestError, Split};

/// The number of a group, counted from 0 in the order of each group's first path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupNumber(pub u32);

/// Why an image is not used, although its file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// A training image with the same file or pixels as another training image.
    ExactCopy,
    /// A training image that is a near copy of another training image.
    NearCopy,
    /// A training image with a copy in validation or test.
    Leak,
    /// A training image whose content has another label elsewhere.
    LabelConflict,
    /// A training image that shows nothing.
    Blank,
    /// A training image whose size, shape or brightness is unlike all others.
    Outlier,
    /// A training image with text or pen strokes.
    BurntInMark,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExactCopy => "an exact copy of another training image",
            Self::NearCopy => "a near copy of another training image",
            Self::Leak => "a copy of it stands in validation or test",
            Self::LabelConflict => "its content carries two labels",
            Self::Blank => "it shows nothing",
            Self::Outlier => "its size, shape or brightness is unlike all others",
            Self::BurntInMark => "it carries text or pen strokes",
        })
    }
}

/// One image after validation: a row of `artifacts/data_validation/manifest.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedRecord {
    /// The image, in its new split; the path is relative to the folder that `ingest` wrote.
    pub image: ImageRecord,
    /// The split that `ingest` gave it.
    pub original_split: Split,
    /// The group of its copies, exact and near; none if it has no copy.
    pub duplicate_group: Option<GroupNumber>,
    /// The group that neither splits nor a bootstrap may divide: copies, slices of one scan, images
    /// of one patient. Every image is in one, most often alone.
    pub group: GroupNumber,
    /// The patient, where known.
    pub patient_id: Option<String>,
    /// Why it is not used; none if it is used.
    pub excluded: Option<Exclusion>,
}

/// The columns, in order. Flat, because CSV is flat.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    path: String,
    split: Split,
    class: String,
    sha256: artifact::Digest,
    width: u32,
    height: u32,
    original_split: Split,
    duplicate_group: Option<GroupNumber>,
    group: GroupNumber,
    patient_id: Option<String>,
    excluded: Option<Exclusion>,
}

impl From<&ValidatedRecord> for Row {
    fn from(record: &ValidatedRecord) -> Self {
        let ImageRecord { path, split, class, sha256, width, height } = record.image.clone();
        Self {
            path,
            split,
            class,
            sha256,
            width,
            height,
            original_split: record.original_split,
            duplicate_group: record.duplicate_group,
            group: record.group,
            patient_id: record.patient_id.clone(),
            excluded: record.excluded,
        }
    }
}

impl From<Row> for ValidatedRecord {
    fn from(row: Row) -> Self {
        let Row { path, split, class, sha256, width, height, .. } = row;
        Self {
            image: ImageRecord { path, split, class, sha256, width, height },
            original_split: row.original_split,
            duplicate_group: row.duplicate_group,
            group: row.group,
            patient_id: row.patient_id,
            excluded: row.excluded,
        }
    }
}

/// Every image with what `validate` found about it, sorted by path. The stages after `validate`
/// read this manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedManifest {
    images: PathBuf,
    records: Vec<ValidatedRecord>,
}

impl ValidatedManifest {
    /// A manifest of images below the folder `images`; the records are sorted by path.
    pub fn new(images: impl Into<PathBuf>, mut records: Vec<ValidatedRecord>) -> Self {
        records.sort_by(|a, b| a.image.path.cmp(&b.image.path));
        Self { images: images.into(), records }
    }

    /// The manifest before validation: every image is used, and is in a group of its own.
    pub fn unexamined(manifest: &Manifest, images: impl Into<PathBuf>) -> Self {
        let record = |(number, image): (u32, &ImageRecord)| ValidatedRecord {
            image: image.clone(),
            original_split: image.split,
            duplicate_group: None,
            group: GroupNumber(number),
            patient_id: None,
            excluded: None,
        };
        Self::new(images, (0..).zip(manifest.records()).map(record).collect())
    }

    /// Reads `manifest.csv` from the folder that `validate` wrote; `images` is the folder that
    /// `ingest` wrote, with the files.
    ///
    /// # Errors
    /// When it is missing, or a row does not fit; the error names the line.
    pub fn read(folder: &Path, images: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(MANIFEST_FILE);
        let text = artifact::read_bytes(&path)?;
        let records = csv::Reader::from_reader(text.as_slice())
            .deserialize()
            .map(|row| row.map(|row: Row| row.into()))
            .collect::<Result<Vec<ValidatedRecord>, _>>()
            .map_err(|source| ManifestError::Row { path, source })?;
        Ok(Self::new(images, records))
    }

    /// Writes `manifest.csv` into `folder`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ManifestError> {
        artifact::write_with(&folder.join(MANIFEST_FILE), |file| {
            let mut writer = csv::Writer::from_writer(file);
            for record in &self.records {
                writer.serialize(Row::from(record)).map_err(std::io::Error::other)?;
            }
            writer.flush()
        })?;
        Ok(())
    }

    /// Every image, excluded ones too, sorted by path.
    pub fn records(&self) -> &[ValidatedRecord] {
        &self.records
    }

    /// The images that are used, in their new splits.
    pub fn included(&self) -> Manifest {
        let included = self.records.iter().filter(|record| record.excluded.is_none());
        Manifest::new(&self.images, included.map(|record| record.image.clone()).collect())
    }

    /// The other facts about each image, by path.
    pub fn by_path(&self) -> BTreeMap<&str, &ValidatedRecord> {
        self.records.iter().map(|record| (record.image.path.as_str(), record)).collect()
    }

    /// The duplicate groups with a member among the training images in use. An image of another
    /// split in one of these was seen in training.
    pub fn duplicate_groups_in_training(&self) -> BTreeSet<GroupNumber> {
        self.records
            .iter()
            .filter(|record| record.excluded.is_none() && record.image.split == Split::Train)
            .filter_map(|record| record.duplicate_group)
            .collect()
    }

    /// Whether at least one image has a patient.
    pub fn knows_patients(&self) -> bool {
        self.records.iter().any(|record| record.patient_id.is_some())
    }
}

#[cfg(test)]
mod tests {
    use artifact::Digest;

    use super::*;

    fn record(path: &str, split: Split, excluded: Option<Exclusion>) -> ValidatedRecord {
        let image = ImageRecord {
            path: path.into(),
            split,
            class: "normal".into(),
            sha256: Digest::of(path.as_bytes()),
            width: 3,
            height: 2,
        };
        ValidatedRecord {
            image,
            original_split: Split::Test,
            duplicate_group: Some(GroupNumber(4)),
            group: GroupNumber(7),
            patient_id: None,
            excluded,
        }
    }

    #[test]
    fn a_manifest_reads_back_as_written_with_empty_cells_for_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = record("train/b, c.png", Split::Train, Some(Exclusion::Leak));
        known.patient_id = Some("P 17".into());
        let mut lone = record("train/a.png", Split::Valid, None);
        lone.duplicate_group = None;
        let manifest = ValidatedManifest::new("images", vec![known, lone]);
        manifest.write(folder.path()).unwrap();
        let text = artifact::read_text(&folder.path().join(MANIFEST_FILE)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "path,split,class,sha256,width,height,original_split,duplicate_group,group,patient_id,excluded"
        );
        assert!(lines[1].ends_with(",3,2,test,,7,,"), "{}", lines[1]);
        assert!(lines[2].ends_with(",3,2,test,4,7,P 17,leak"), "{}", lines[2]);
        assert_eq!(ValidatedManifest::read(folder.path(), "images".as_ref()).unwrap(), manifest);
    }

    #[test]
    fn excluded_images_take_no_part() {
        let records = vec![
            record("a", Split::Train, Some(Exclusion::Leak)),
            record("b", Split::Train, None),
            record("c", Split::Test, None),
        ];
        let manifest = ValidatedManifest::new("images", records);
        let included = manifest.included();
        let paths: Vec<_> = included.records().iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["b", "c"]);
        assert_eq!(included.file_of(&included.records()[0]), Path::new("images/b"));
        assert!(manifest.duplicate_groups_in_training().contains(&GroupNumber(4)));
    }

    #[test]
    fn a_group_whose_training_images_are_all_excluded_was_not_seen_in_training() {
        let records =
            vec![record("a", Split::Train, Some(Exclusion::Leak)), record("c", Split::Test, None)];
        let manifest = ValidatedManifest::new("images", records);
        assert!(manifest.duplicate_groups_in_training().is_empty());
    }
}
