//! What the folders of a source seem to mean, before anything is ingested: for `hounsfield init`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::{ClassMap, Config, DataConfig, ExtractionLimits};
use dataset::Split;

use crate::inventory::{Content, SourceFile};
use crate::layout::{LabelledFile, Layout, class_name_for, is_hidden};
use crate::masks::Masks;
use crate::{extract, inventory};

/// A folder or zip file of labelled scans, listed and not unpacked.
#[derive(Debug)]
pub struct LabelledSource {
    files: Vec<SourceFile>,
}

/// What `config.yaml` could say of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The classes, each with the folders that seem to hold it.
    pub classes: ClassMap,
    /// The classes that seem to be a finding: all but those named normal, healthy and the like.
    /// Empty where no class is named so, or every class is.
    pub positive: Vec<String>,
    /// Patterns of files that look like masks of other files.
    pub ignore_files: Vec<String>,
}

/// The images of one class in one split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageCount {
    /// `None` where the source has no splits: `ingest` draws them.
    pub split: Option<Split>,
    /// The class.
    pub class: String,
    /// How many images.
    pub images: usize,
}

/// Folders that no classes can be made out in.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// Nothing to look at.
    #[error(
        "find an image among {files} files; PNG, JPEG, TIFF, BMP, WebP, GIF and DICOM are read"
    )]
    NoImages {
        /// All files.
        files: usize,
    },
    /// Images without a folder of their own class.
    #[error(
        "find the class of {images} images that lie in {folder} itself, beside folders with images; \
         put each image into a folder that is named as its class"
    )]
    BesideClasses {
        /// The folder.
        folder: String,
        /// The images directly in it.
        images: usize,
    },
    /// One class cannot be told from another.
    #[error(
        "find two classes: all {images} images lie in {folder}; put each image into a folder that \
         is named as its class"
    )]
    OneFolder {
        /// The folder.
        folder: String,
        /// All images.
        images: usize,
    },
    /// Names that a class cannot have.
    #[error("make a class of the folder {folder:?}: its name has no letter or digit; rename it")]
    NoName {
        /// The folder.
        folder: String,
    },
}

impl LabelledSource {
    /// Lists a folder or zip file.
    ///
    /// # Errors
    /// When it cannot be read, or the zip file is one that `ingest` would refuse.
    pub fn list(source: &Path) -> anyhow::Result<Self> {
        let files = if source.is_dir() {
            inventory::take(source)?
        } else {
            extract::list(source, &ExtractionLimits::default())?
        };
        Ok(Self { files })
    }

    /// Proposes classes by the folders that hold images.
    ///
    /// Split folders, and folders that all images lie below, stand for nothing; the next folder is
    /// the class. A longer name in one split is the same class as the start of it in another:
    /// `adenocarcinoma_left.lower.lobe` in train, and `adenocarcinoma` in test.
    ///
    /// # Errors
    /// When there is no image, or the images lie in fewer than two folders.
    pub fn propose(&self) -> Result<Proposal, ProposalError> {
        let images = self.images();
        if images.is_empty() {
            return Err(ProposalError::NoImages { files: self.files.len() });
        }
        let folders = class_folders(&images)?;
        let mut classes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, splits) in &folders {
            let short = folders
                .iter()
                .find(|(other, theirs)| is_start_of(other, name) && splits.is_disjoint(theirs));
            let class = class_name_for(short.map_or(name, |(short, _)| short));
            if class.is_empty() {
                return Err(ProposalError::NoName { folder: name.clone() });
            }
            let held = classes.entry(class).or_default();
            // A folder of a configuration stands for every letter case of its name.
            if !held.iter().any(|known| known.to_lowercase() == name.to_lowercase()) {
                held.insert(name.clone());
            }
        }
        if classes.len() < 2 {
            let folder = folders.keys().next().cloned().unwrap_or_default();
            return Err(ProposalError::OneFolder { folder, images: images.len() });
        }
        let is_finding = |class: &&String| !means_no_finding(class);
        let mut positive: Vec<String> = classes.keys().filter(is_finding).cloned().collect();
        if positive.len() == classes.len() {
            positive.clear();
        }
        let classes =
            classes.into_iter().map(|(class, folders)| (class, folders.into_iter().collect()));
        let labelled: Vec<LabelledFile> = images
            .iter()
            .map(|path| LabelledFile {
                path: (*path).to_owned(),
                split: None,
                class: String::new(),
            })
            .collect();
        let ignore_files = Masks::among(&labelled).map(|masks| masks.patterns).unwrap_or_default();
        Ok(Proposal { classes: classes.collect::<ClassMap>(), positive, ignore_files })
    }

    /// How many images of each class and split `ingest` finds with this configuration.
    ///
    /// # Errors
    /// When the folders do not fit the classes, as `ingest` would report it.
    pub fn count(&self, data: &DataConfig) -> anyhow::Result<Vec<ImageCount>> {
        let layout = Layout::of(&self.files, data)?;
        let mut counts: BTreeMap<(Option<Split>, &str), usize> = BTreeMap::new();
        for image in &layout.images {
            *counts.entry((image.split, image.class.as_str())).or_default() += 1;
        }
        let count = |((split, class), images): ((Option<Split>, &str), usize)| ImageCount {
            split,
            class: class.to_owned(),
            images,
        };
        Ok(counts.into_iter().map(count).collect())
    }

    /// Paths of the images that are not hidden.
    fn images(&self) -> Vec<&str> {
        let images = self.files.iter().filter(|file| file.content == Content::Image);
        let paths = images.map(|file| file.path.as_str());
        paths.filter(|path| !path.split('/').any(is_hidden)).collect()
    }
}

/// The class folders by name, each with the splits it was found in; `None` stands for no split.
fn class_folders(
    images: &[&str],
) -> Result<BTreeMap<String, BTreeSet<Option<Split>>>, ProposalError> {
    let mut placed: Vec<(Option<Split>, Vec<&str>)> = Vec::new();
    for path in images {
        let mut folders: Vec<&str> = path.split('/').collect();
        folders.pop();
        let split = folders.iter().position(|name| Split::from_folder_name(name).is_some());
        let found = split.and_then(|at| Split::from_folder_name(folders.remove(at)));
        placed.push((found, folders));
    }
    let common = common_length(placed.iter().map(|(_, folders)| folders.as_slice()));
    let outside = placed.iter().filter(|(_, folders)| folders.len() == common).count();
    if outside > 0 {
        let folder = match placed.first().map(|(_, folders)| folders[..common].join("/")) {
            Some(folder) if !folder.is_empty() => folder,
            _ => "the top folder".to_owned(),
        };
        return Err(if outside == images.len() {
            ProposalError::OneFolder { folder, images: outside }
        } else {
            ProposalError::BesideClasses { folder, images: outside }
        });
    }
    let mut folders: BTreeMap<String, BTreeSet<Option<Split>>> = BTreeMap::new();
    for (split, path) in &placed {
        folders.entry(path[common].to_owned()).or_default().insert(*split);
    }
    Ok(folders)
}

/// How many folders all paths begin with alike.
fn common_length<'a>(mut paths: impl Iterator<Item = &'a [&'a str]>) -> usize {
    let Some(first) = paths.next() else { return 0 };
    paths.fold(first.len(), |length, path| {
        let alike = first.iter().zip(path).take_while(|(a, b)| a == b).count();
        length.min(alike)
    })
}

/// Whether `name` is `start` and a sign and more, in any letter case.
fn is_start_of(start: &str, name: &str) -> bool {
    let (start, name) = (start.to_lowercase(), name.to_lowercase());
    name.strip_prefix(&start)
        .is_some_and(|rest| rest.chars().next().is_some_and(|sign| !sign.is_alphanumeric()))
}

/// Whether a class of this name says that nothing was found.
fn means_no_finding(class: &str) -> bool {
    // Not "non": a non-small-cell carcinoma is a finding.
    const WORDS: [&str; 11] = [
        "normal", "healthy", "benign", "negative", "control", "controls", "no", "without", "none",
        "notumor", "notumour",
    ];
    class.split('_').any(|word| WORDS.contains(&word))
}

impl Proposal {
    /// The section `data` of `config` with what is proposed in it.
    pub fn applied_to(&self, config: &Config) -> DataConfig {
        DataConfig {
            classes: self.classes.clone(),
            positive: self.positive.clone(),
            ignore_files: self.ignore_files.clone(),
            ..config.data.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(paths: &[&str]) -> LabelledSource {
        let file = |path: &&str| SourceFile { path: (*path).to_owned(), content: Content::Image };
        LabelledSource { files: paths.iter().map(file).collect() }
    }

    fn classes(paths: &[&str]) -> Vec<(String, Vec<String>)> {
        let classes = source(paths).propose().unwrap().classes;
        let folders = |class: &str| classes.folders_of(class).map(<[_]>::to_vec).unwrap();
        classes.names().map(|class| (class.to_owned(), folders(class))).collect()
    }

    fn class(name: &str, folders: &[&str]) -> (String, Vec<String>) {
        (name.to_owned(), folders.iter().map(|&folder| folder.to_owned()).collect())
    }

    #[test]
    fn folders_below_a_split_are_classes_however_deep_they_lie() {
        let found = classes(&["a/Training/Glioma tumor/1.png", "a/Testing/no_tumor/1.png"]);
        assert_eq!(
            found,
            [class("glioma_tumor", &["Glioma tumor"]), class("no_tumor", &["no_tumor"])]
        );
        let proposal = source(&["x/Größe/1.png", "x/normal/p1/1.png"]).propose().unwrap();
        assert_eq!(proposal.classes.names().collect::<Vec<_>>(), ["größe", "normal"]);
        assert_eq!(proposal.positive, ["größe"]);
    }

    #[test]
    fn a_carcinoma_that_is_not_small_cell_is_a_finding() {
        let paths = ["non small cell/1.png", "small-cell/1.png", "no tumour/1.png"];
        let positive = source(&paths).propose().unwrap().positive;
        assert_eq!(positive, ["non_small_cell", "small_cell"]);
    }

    #[test]
    fn a_longer_name_in_another_split_is_the_same_class() {
        let found = classes(&[
            "Data/train/adenocarcinoma_left.lobe/1.png",
            "Data/test/adenocarcinoma/1.png",
            "Data/train/normal/1.png",
            "Data/test/normal/1.png",
        ]);
        let expected = class("adenocarcinoma", &["adenocarcinoma", "adenocarcinoma_left.lobe"]);
        assert_eq!(found, [expected, class("normal", &["normal"])]);
    }

    #[test]
    fn folders_that_differ_in_letter_case_are_one() {
        let found = classes(&["train/A/1.png", "test/a/1.png", "train/b/1.png", "test/B/1.png"]);
        assert_eq!(found, [class("a", &["A"]), class("b", &["B"])]);
    }

    #[test]
    fn names_that_stand_beside_each_other_are_two_classes() {
        let found = classes(&["tumor/1.png", "tumor_free/1.png"]);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_class_above_its_splits_is_found() {
        let found = classes(&["a/train/1.png", "a/test/2.png", "b/train/1.png", "b/test/1.png"]);
        assert_eq!(found, [class("a", &["a"]), class("b", &["b"])]);
    }

    #[test]
    fn masks_are_proposed_to_be_ignored() {
        let paths = ["a/1.png", "a/1_mask.png", "b/1.png"];
        assert_eq!(source(&paths).propose().unwrap().ignore_files, ["*_mask*.png"]);
    }

    #[test]
    fn layouts_without_classes_are_refused_with_what_was_seen() {
        let error = |paths: &[&str]| source(paths).propose().unwrap_err().to_string();
        assert!(error(&[]).contains("0 files"));
        assert!(error(&["1.png", "2.png"]).contains("all 2 images lie in the top folder"));
        assert!(error(&["scans/1.png"]).contains("all 1 images lie in scans"));
        assert!(error(&["1.png", "a/2.png"]).contains("1 images that lie in the top folder"));
        assert!(error(&["---/1.png", "a/2.png"]).contains("rename"));
    }

    #[test]
    fn images_are_counted_by_split_and_class_as_ingest_finds_them() {
        let source = source(&["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"]);
        let yaml = "data: {source: {kind: sample}, classes: {x: [q], y: [z]}}";
        let config: Config = serde_yaml::from_str(yaml).unwrap();
        assert!(source.count(&config.data).is_err());
        let data = source.propose().unwrap().applied_to(&config);
        let counts = source.count(&data).unwrap();
        assert_eq!(counts.len(), 4);
        let first = ImageCount { split: Some(Split::Train), class: "a".to_owned(), images: 1 };
        assert_eq!(counts[0], first);
    }

    #[test]
    fn a_zip_file_is_listed_without_being_unpacked() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scans.zip");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for name in ["Data/a/1", "Data/b/2"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
        }
        zip.finish().unwrap();
        let source = LabelledSource::list(&path).unwrap();
        assert_eq!(source.images(), ["Data/a/1", "Data/b/2"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
