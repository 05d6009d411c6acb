//! Decides the path of each image, and copies or moves it there byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use artifact::{IoError, Sha256Writer, WithPath};
use dataset::{ImageRecord, LesionBox, Split};
use rayon::prelude::*;

use crate::layout::{common_folder, folder_of};
use crate::split::{AssignedImage, Origin};

/// The folder of a class for images whose class comes from a correction.
const CORRECTIONS: &str = "corrections";

/// The owner of the source's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The user, or another stage: copied, and never linked, since DVC may change the mode of its
    /// outputs and a link would share it.
    Theirs,
    /// This run, which unpacked or drew them into a temporary folder: moved.
    Ours,
}

/// An image that cannot be placed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(transparent)]
    File(#[from] IoError),
    #[error("copy {}: its content changed since it was decoded; run again", path.display())]
    Changed { path: PathBuf },
    #[error(
        "keep {path} apart from a file of the source that gets the same path; rename the source's \
         folder {CORRECTIONS}"
    )]
    Taken { path: String },
}

/// Puts every image, from `source` or the folder of corrections, into `target`, and returns their
/// manifest rows in the same order.
pub(crate) fn place_all(
    images: &[AssignedImage],
    source: &Path,
    ownership: Ownership,
    target: &Path,
) -> Result<Vec<ImageRecord>, PlaceError> {
    let records = records(images);
    refuse_equal_paths(&records)?;
    for record in &records {
        artifact::create_folder(&target.join(folder_of(&record.path)))?;
    }
    let progress = terminal::items_bar(records.len() as u64, "placing images");
    images.par_iter().zip(&records).try_for_each(|(assigned, record)| {
        let to = target.join(&record.path);
        let (folder, ownership) = match &assigned.origin {
            Origin::Source | Origin::Relabelled { .. } => (source, ownership),
            Origin::Correction { folder } => (folder.as_path(), Ownership::Theirs),
        };
        let from = folder.join(&assigned.image.file.path);
        match ownership {
            Ownership::Theirs => copy(&from, &to, record)?,
            Ownership::Ours => fs::rename(&from, &to).with_path("move an image to", &to)?,
        }
        File::open(&to).and_then(|file| file.sync_all()).with_path("sync", &to)?;
        progress.inc(1);
        Ok::<(), PlaceError>(())
    })?;
    progress.finish_and_clear();
    Ok(records)
}

/// The lesions, by the path in the manifest; `known` has them by the path in the source. `records`
/// are in the order of `images`.
pub(crate) fn lesions(
    images: &[AssignedImage],
    records: &[ImageRecord],
    known: &BTreeMap<String, LesionBox>,
) -> BTreeMap<String, LesionBox> {
    let of_source = |assigned: &AssignedImage| match assigned.origin {
        Origin::Source | Origin::Relabelled { .. } => known.get(&assigned.image.file.path).copied(),
        Origin::Correction { .. } => None,
    };
    let pairs = images.iter().zip(records);
    pairs
        .filter_map(|(assigned, record)| Some((record.path.clone(), of_source(assigned)?)))
        .collect()
}

/// Computes the digest while copying, so that the manifest describes the copied file. The copy has
/// a fresh file's mode, not the source's, which may be read-only.
fn copy(from: &Path, to: &Path, record: &ImageRecord) -> Result<(), PlaceError> {
    let mut reader = File::open(from).with_path("open", from)?;
    let file = OpenOptions::new().write(true).create_new(true).open(to).with_path("create", to)?;
    let mut writer = Sha256Writer::new(file);
    io::copy(&mut reader, &mut writer).with_path("write", to)?;
    if writer.finish().0 == record.sha256 {
        Ok(())
    } else {
        Err(PlaceError::Changed { path: from.to_path_buf() })
    }
}

fn records(images: &[AssignedImage]) -> Vec<ImageRecord> {
    let shared = shared_folders(images);
    images
        .iter()
        .map(|assigned| ImageRecord {
            path: format!("{}/{}/{}", assigned.split, assigned.class(), below(assigned, &shared)),
            split: assigned.split,
            class: assigned.class().to_owned(),
            sha256: assigned.image.sha256,
            width: assigned.image.width,
            height: assigned.image.height,
        })
        .collect()
}

/// The result of [`shared_folders`].
type SharedFolders<'a> = BTreeMap<(Option<Split>, &'a str), String>;

/// An image's path in its class.
///
/// If the class comes from a correction, the path contains it, and the end of the source's path is
/// kept: `data.patients` may find the patient by it.
fn below(assigned: &AssignedImage, shared: &SharedFolders<'_>) -> String {
    let file = &assigned.image.file;
    let of_source = || {
        let shared = &shared[&(file.split, file.class.as_str())];
        file.path.strip_prefix(shared.as_str()).unwrap_or(&file.path).trim_start_matches('/')
    };
    match &assigned.origin {
        Origin::Source => of_source().to_owned(),
        Origin::Relabelled { .. } => format!("{CORRECTIONS}/{}/{}", file.class, of_source()),
        Origin::Correction { .. } => {
            let name = file.path.rsplit('/').next().unwrap_or(&file.path);
            format!("{CORRECTIONS}/{name}")
        }
    }
}

/// For each split and class of the source, the folder that all its images share. An image's path
/// below it is its path in the class: the file name if one folder holds the class, and the source
/// folder with the file name if several do. Two files can never get the same path.
///
/// The class is that of the source's folders, so that corrections do not move other images.
fn shared_folders(images: &[AssignedImage]) -> SharedFolders<'_> {
    let mut folders: BTreeMap<(Option<Split>, &str), Vec<&str>> = BTreeMap::new();
    let of_source = images.iter().filter(|it| !matches!(it.origin, Origin::Correction { .. }));
    for AssignedImage { image, .. } in of_source {
        let key = (image.file.split, image.file.class.as_str());
        folders.entry(key).or_default().push(folder_of(&image.file.path));
    }
    folders.into_iter().map(|(key, folders)| (key, common_folder(folders))).collect()
}

/// Files of the source never get the same path, but one may have the path of a correction.
fn refuse_equal_paths(records: &[ImageRecord]) -> Result<(), PlaceError> {
    let mut seen = BTreeSet::new();
    match records.iter().find(|record| !seen.insert(&record.path)) {
        None => Ok(()),
        Some(record) => Err(PlaceError::Taken { path: record.path.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use artifact::Digest;

    use super::*;
    use crate::inspect::Image;
    use crate::layout::LabelledFile;

    fn assigned(path: &str, from: Option<Split>, class: &str, split: Split) -> AssignedImage {
        AssignedImage {
            image: Image {
                file: LabelledFile { path: path.into(), split: from, class: class.into() },
                sha256: Digest::of(b"pixels"),
                width: 1,
                height: 1,
            },
            split,
            origin: Origin::Source,
        }
    }

    fn relabelled(class: &str, image: AssignedImage) -> AssignedImage {
        AssignedImage { origin: Origin::Relabelled { class: class.into() }, ..image }
    }

    fn correction(image: AssignedImage) -> AssignedImage {
        AssignedImage { origin: Origin::Correction { folder: "corrections".into() }, ..image }
    }

    fn paths(images: &[AssignedImage]) -> Vec<String> {
        records(images).into_iter().map(|record| record.path).collect()
    }

    #[test]
    fn one_folder_of_a_class_leaves_the_file_name_alone() {
        let train = Some(Split::Train);
        let test = Some(Split::Test);
        let images = [
            assigned("Data/train/adeno_left_T2/1 (2).png", train, "adeno", Split::Train),
            assigned("Data/test/adeno/1 (2).png", test, "adeno", Split::Test),
        ];
        assert_eq!(paths(&images), ["train/adeno/1 (2).png", "test/adeno/1 (2).png"]);
    }

    #[test]
    fn folders_merged_into_one_class_stay_apart() {
        let train = Some(Split::Train);
        let images = [
            assigned("Data/train/adeno/1.png", train, "cancer", Split::Train),
            assigned("Data/train/large/1.png", train, "cancer", Split::Valid),
            assigned("Data/train/normal/1.png", train, "normal", Split::Train),
        ];
        assert_eq!(
            paths(&images),
            ["train/cancer/adeno/1.png", "valid/cancer/large/1.png", "train/normal/1.png"]
        );
    }

    #[test]
    fn two_folders_for_one_split_stay_apart() {
        let valid = Some(Split::Valid);
        let images = [
            assigned("val/normal/1.png", valid, "normal", Split::Valid),
            assigned("valid/normal/1.png", valid, "normal", Split::Valid),
        ];
        assert_eq!(
            paths(&images),
            ["valid/normal/val/normal/1.png", "valid/normal/valid/normal/1.png"]
        );
    }

    #[test]
    fn corrections_move_no_other_image() {
        let images = [
            assigned("scans/benign/1.png", None, "benign", Split::Test),
            relabelled("malignant", assigned("scans/benign/2.png", None, "benign", Split::Train)),
            assigned("scans/malignant/2.png", None, "malignant", Split::Train),
            correction(assigned("malignant/0a.png", None, "malignant", Split::Train)),
        ];
        assert_eq!(
            paths(&images),
            [
                "test/benign/1.png",
                "train/malignant/corrections/benign/2.png",
                "train/malignant/2.png",
                "train/malignant/corrections/0a.png",
            ]
        );
    }

    #[test]
    fn a_file_of_the_source_where_a_correction_goes_is_refused() {
        let images = [
            assigned("a/corrections/b/2.png", None, "a", Split::Train),
            assigned("a/1.png", None, "a", Split::Train),
            relabelled("a", assigned("b/2.png", None, "b", Split::Train)),
        ];
        let error = refuse_equal_paths(&records(&images)).unwrap_err().to_string();
        assert!(error.contains("train/a/corrections/b/2.png"), "{error}");
    }

    #[test]
    fn a_file_that_changed_since_it_was_decoded_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1.png"), b"other pixels").unwrap();
        let images = [assigned("1.png", None, "normal", Split::Train)];
        let target = folder.path().join("out");
        let error = place_all(&images, folder.path(), Ownership::Theirs, &target).unwrap_err();
        assert!(error.to_string().contains("changed since"), "{error}");
    }
}
