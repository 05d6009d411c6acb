//! Finds the split and the class of each file from its folders.

use std::collections::BTreeMap;

use config::{ClassMap, DataConfig};
use dataset::Split;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Serialize;

use crate::inventory::{Content, SourceFile, Unsupported};

mod error;
mod tree;

use error::{FolderCount, UnmappedFolders};
pub(crate) use error::{LayoutError, class_name_for};
use tree::Folder;

/// An image with the class of its folder, and its split if the source has split folders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LabelledFile {
    /// Relative to the source's folder, with `/` between parts.
    pub(crate) path: String,
    pub(crate) split: Option<Split>,
    pub(crate) class: String,
}

/// A file or folder of the source that does not become an image of the data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PassedOver {
    pub(crate) path: String,
    pub(crate) reason: Reason,
    /// Number of files, if `path` is a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<usize>,
    /// The unsupported format of a file that may hold pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<Unsupported>,
}

/// Why something does not become an image of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The name starts with a dot, or is one that an operating system leaves behind.
    Hidden,
    /// `data.ignore_folders` names it.
    IgnoredFolder,
    /// Its name matches a pattern of `data.ignore_files`.
    IgnoredFile,
    /// It may hold pictures, in an unsupported format.
    UnsupportedFormat,
    /// A link to a missing file.
    DanglingLink,
    /// Neither its content nor its name is an image's.
    NotAnImage,
    /// A DICOM file without an image: a directory, a report, a plan.
    DicomWithoutImage,
}

/// The result of reading the folders of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The folder that holds the split or class folders, relative to the source's.
    pub(crate) root: String,
    /// Sorted by path.
    pub(crate) images: Vec<LabelledFile>,
    pub(crate) passed_over: Vec<PassedOver>,
    /// Folders that were passed through, although their names mention a split.
    pub(crate) split_like: Vec<String>,
}

impl Layout {
    /// Reads the folders of a source.
    ///
    /// The data root is found at any depth: folders without a meaning are passed through as long as
    /// there is no split or class folder beside them. From there on a folder with images must be a
    /// split, a class, part of a class, or ignored.
    pub(crate) fn of(files: &[SourceFile], data: &DataConfig) -> Result<Self, LayoutError> {
        let tree = Folder::of(files);
        let mut walk = Walk::new(data)?;
        walk.visit(&tree, "", Context::default())?;
        walk.finish(&tree)
    }
}

/// The meaning of the folders above.
#[derive(Debug, Clone, Copy, Default)]
struct Context<'a> {
    split: Option<Split>,
    class: Option<&'a str>,
}

/// The meaning of a folder, by its name and those above it.
enum Role<'a> {
    PassedOver(Reason),
    Class(&'a str),
    Split(Split),
    Unknown,
}

struct Walk<'a> {
    data: &'a DataConfig,
    ignored_files: GlobSet,
    images: Vec<LabelledFile>,
    passed_over: Vec<PassedOver>,
    unmapped: Vec<FolderCount>,
    /// Folders with the first split or class folders directly below them.
    roots: Vec<String>,
    split_like: Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(data: &'a DataConfig) -> Result<Self, LayoutError> {
        Ok(Self {
            data,
            ignored_files: patterns(&data.ignore_files)?,
            images: Vec::new(),
            passed_over: Vec::new(),
            unmapped: Vec::new(),
            roots: Vec::new(),
            split_like: Vec::new(),
        })
    }

    fn role(&self, name: &str, path: &str, above: Context<'_>) -> Role<'a> {
        let classes: &'a ClassMap = &self.data.classes;
        if is_hidden(name) {
            return Role::PassedOver(Reason::Hidden);
        }
        if self.is_ignored(name, path) {
            return Role::PassedOver(Reason::IgnoredFolder);
        }
        if above.class.is_none()
            && let Some(class) = classes.class_of_folder(name)
        {
            return Role::Class(class);
        }
        match Split::from_folder_name(name) {
            Some(split) if above.split.is_none() => Role::Split(split),
            _ => Role::Unknown,
        }
    }

    /// An entry of `ignore_folders` is a folder's name, or with a `/` its path in the source.
    fn is_ignored(&self, name: &str, path: &str) -> bool {
        self.data.ignore_folders.iter().any(|ignored| {
            let ignored = ignored.trim_matches('/');
            let found = if ignored.contains('/') { path } else { name };
            ignored.to_lowercase() == found.to_lowercase()
        })
    }

    fn visit(
        &mut self,
        folder: &Folder,
        path: &str,
        above: Context<'a>,
    ) -> Result<(), LayoutError> {
        self.visit_files(folder, path, above);
        let children: Vec<_> = folder
            .folders
            .iter()
            .map(|(name, child)| {
                (join(path, name), child, self.role(name, &join(path, name), above))
            })
            .collect();
        let is_known = |(_, child, role): &(String, &Folder, Role<'_>)| {
            matches!(role, Role::Class(_) | Role::Split(_)) && child.images > 0
        };
        let has_known_child = children.iter().any(is_known);
        if has_known_child && above.split.is_none() && above.class.is_none() {
            self.roots.push(path.to_owned());
        }
        if !has_known_child {
            self.refuse_two_data_sets(&children, above)?;
        }
        for (path, child, role) in children {
            match role {
                Role::PassedOver(reason) => self.pass_over_folder(path, child, reason),
                Role::Class(class) => {
                    self.visit(child, &path, Context { class: Some(class), ..above })?;
                }
                Role::Split(split) => {
                    self.visit(child, &path, Context { split: Some(split), ..above })?;
                }
                Role::Unknown if child.images == 0 => self.visit(child, &path, above)?,
                Role::Unknown if has_known_child && above.class.is_none() => {
                    self.unmapped.push(FolderCount { path, images: child.images });
                }
                Role::Unknown => {
                    let name = path.rsplit('/').next().unwrap_or(&path);
                    if above.split.is_none() && Split::is_spoken_of_in(name) {
                        self.split_like.push(path.clone());
                    }
                    self.visit(child, &path, above)?;
                }
            }
        }
        Ok(())
    }

    fn visit_files(&mut self, folder: &Folder, path: &str, above: Context<'_>) {
        let mut without_class = 0;
        for file in &folder.files {
            let reason = match file.content {
                _ if is_hidden(file.name()) => Reason::Hidden,
                _ if self.ignored_files.is_match(file.name()) => Reason::IgnoredFile,
                Content::Other => Reason::NotAnImage,
                Content::Unsupported(_) => Reason::UnsupportedFormat,
                Content::DanglingLink => Reason::DanglingLink,
                Content::DicomWithoutImage => Reason::DicomWithoutImage,
                Content::Image => {
                    match above.class {
                        Some(class) => self.images.push(LabelledFile {
                            path: file.path.clone(),
                            split: above.split,
                            class: class.to_owned(),
                        }),
                        None => without_class += 1,
                    }
                    continue;
                }
            };
            let format = match file.content {
                Content::Unsupported(format) if reason == Reason::UnsupportedFormat => Some(format),
                _ => None,
            };
            let path = file.path.clone();
            self.passed_over.push(PassedOver { path, reason, files: None, format });
        }
        if without_class > 0 {
            self.unmapped.push(FolderCount { path: path.to_owned(), images: without_class });
        }
    }

    fn pass_over_folder(&mut self, path: String, folder: &Folder, reason: Reason) {
        let files = folder.all_files();
        if files > 0 {
            let files = Some(files);
            self.passed_over.push(PassedOver { path, reason, files, format: None });
        }
    }

    /// Two folders that each have split folders are two data sets, or one and its copy, as in some
    /// Kaggle archives. This program must not guess which one is meant.
    fn refuse_two_data_sets(
        &self,
        children: &[(String, &Folder, Role<'_>)],
        above: Context<'_>,
    ) -> Result<(), LayoutError> {
        if above.split.is_some() || above.class.is_some() {
            return Ok(());
        }
        let holding: Vec<String> = children
            .iter()
            .filter(|(path, child, role)| {
                matches!(role, Role::Unknown) && self.holds_split(child, path)
            })
            .map(|(path, ..)| path.clone())
            .collect();
        if holding.len() > 1 { Err(LayoutError::TwoDataSets { folders: holding }) } else { Ok(()) }
    }

    fn holds_split(&self, folder: &Folder, path: &str) -> bool {
        folder.folders.iter().any(|(name, child)| {
            let path = join(path, name);
            match self.role(name, &path, Context::default()) {
                Role::Split(_) => child.images > 0,
                Role::Unknown => self.holds_split(child, &path),
                Role::Class(_) | Role::PassedOver(_) => false,
            }
        })
    }

    fn finish(mut self, tree: &Folder) -> Result<Layout, LayoutError> {
        if tree.images == 0 {
            return Err(LayoutError::NoImages {
                files: tree.all_files(),
                dicom: self.count_passed_over(Reason::DicomWithoutImage),
                unsupported: unsupported_in_words(&self.passed_over),
            });
        }
        if !self.unmapped.is_empty() {
            self.unmapped.sort();
            return Err(LayoutError::Unmapped(UnmappedFolders::new(self.unmapped)));
        }
        self.refuse_images_outside_splits()?;
        self.refuse_empty_classes()?;
        self.images.sort();
        self.passed_over.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Layout {
            root: common_folder(self.roots.iter().map(String::as_str)),
            images: self.images,
            passed_over: self.passed_over,
            split_like: self.split_like,
        })
    }

    fn count_passed_over(&self, reason: Reason) -> usize {
        self.passed_over.iter().filter(|passed| passed.reason == reason).count()
    }

    fn refuse_images_outside_splits(&self) -> Result<(), LayoutError> {
        if self.images.iter().all(|image| image.split.is_none()) {
            return Ok(());
        }
        let outside = self.images.iter().filter(|image| image.split.is_none());
        let counts = count_by(outside, |image| folder_of(&image.path).to_owned());
        if counts.is_empty() { Ok(()) } else { Err(LayoutError::OutsideSplits { folders: counts }) }
    }

    fn refuse_empty_classes(&self) -> Result<(), LayoutError> {
        let is_empty = |class: &&str| !self.images.iter().any(|image| image.class == *class);
        let empty: Vec<String> =
            self.data.classes.names().filter(is_empty).map(str::to_owned).collect();
        if empty.is_empty() {
            return Ok(());
        }
        Err(LayoutError::EmptyClasses {
            classes: empty,
            dicom: self.count_passed_over(Reason::DicomWithoutImage),
            folders: count_by(self.images.iter(), |image| folder_of(&image.path).to_owned()),
        })
    }
}

fn count_by<'f>(
    images: impl Iterator<Item = &'f LabelledFile>,
    folder: impl Fn(&LabelledFile) -> String,
) -> Vec<FolderCount> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for image in images {
        *counts.entry(folder(image)).or_default() += 1;
    }
    counts.into_iter().map(|(path, images)| FolderCount { path, images }).collect()
}

/// `5 HEIC, 2 archive`: the files in unsupported formats; empty if there are none.
pub(crate) fn unsupported_in_words(passed_over: &[PassedOver]) -> String {
    let mut counts: BTreeMap<Unsupported, usize> = BTreeMap::new();
    for format in passed_over.iter().filter_map(|it| it.format) {
        *counts.entry(format).or_default() += 1;
    }
    let counts = counts.into_iter().map(|(format, count)| format!("{count} {format}"));
    counts.collect::<Vec<_>>().join(", ")
}

fn patterns(globs: &[String]) -> Result<GlobSet, LayoutError> {
    let mut set = GlobSetBuilder::new();
    for pattern in globs {
        let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
        let reason = |error: globset::Error| LayoutError::Pattern {
            pattern: pattern.clone(),
            reason: error.kind().to_string(),
        };
        set.add(glob.map_err(reason)?);
    }
    let whole = "data.ignore_files".to_owned();
    set.build().map_err(|error| LayoutError::Pattern { pattern: whole, reason: error.to_string() })
}

/// Files of operating systems, network drives and editors.
const LEFT_BEHIND: [&str; 13] = [
    "__MACOSX",
    "__pycache__",
    "@eaDir",
    "@Recycle",
    "#recycle",
    "#snapshot",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "Picasa.ini",
];

/// Whether a file or folder of this name is not data.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
        || name.starts_with("SYNOPHOTO_THUMB")
        || name.starts_with("SYNOFILE_THUMB")
        || name.starts_with("~$")
        || name.ends_with('~')
        || LEFT_BEHIND.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The folder of a path with `/` between parts; empty at the top.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The deepest folder that is above, or is, every one of `folders`.
pub(crate) fn common_folder<'f>(folders: impl IntoIterator<Item = &'f str>) -> String {
    let mut folders = folders.into_iter();
    let mut common: Vec<&str> = folders.next().map_or_else(Vec::new, parts);
    for folder in folders {
        let shared = parts(folder).iter().zip(&common).take_while(|(a, b)| a == b).count();
        common.truncate(shared);
    }
    common.join("/")
}

fn parts(folder: &str) -> Vec<&str> {
    folder.split('/').filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests;
