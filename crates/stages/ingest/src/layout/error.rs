use std::fmt;

use crate::yaml_text;

/// Number of folders listed in a message; the rest is only counted.
const LISTED_FOLDERS: usize = 20;

/// Folders that cannot be read as a labelled image set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutError {
    #[error("{files} files and no image among them{}{}; images lie in one folder per class",
        dicom_found(*dicom), unsupported_found(unsupported))]
    NoImages { files: usize, dicom: usize, unsupported: String },
    #[error("data.ignore_files in config.yaml has the pattern {pattern:?}: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("{0}")]
    Unmapped(UnmappedFolders),
    #[error(
        "these folders each hold split folders, so these are two data sets, or one and its copy:\
         \n{}take one: name it in data.source.path, or put the other under data.ignore_folders \
         in config.yaml, by its path",
        lines(folders)
    )]
    TwoDataSets { folders: Vec<String> },
    #[error(
        "some images lie in split folders (train, valid, test) and these do not:\n{}move them \
         into a split folder, or put their folder under data.ignore_folders in config.yaml",
        lines(folders)
    )]
    OutsideSplits { folders: Vec<FolderCount> },
    #[error(
        "no image of class {}{}; images were found in:\n{}correct data.classes in config.yaml, \
         or take the class out",
        classes.join(", "), dicom_found(*dicom), lines(folders)
    )]
    EmptyClasses { classes: Vec<String>, dicom: usize, folders: Vec<FolderCount> },
}

fn unsupported_found(formats: &str) -> String {
    match formats {
        "" => String::new(),
        formats => format!(" (formats that are not read: {formats})"),
    }
}

fn dicom_found(count: usize) -> String {
    match count {
        0 => String::new(),
        _ => format!(" ({count} DICOM files that are directories, reports or plans)"),
    }
}

/// A folder and its number of images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FolderCount {
    /// Relative to the source's folder; empty for that folder itself.
    pub(crate) path: String,
    pub(crate) images: usize,
}

impl fmt::Display for FolderCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "(the top folder)" } else { &self.path };
        let noun = if self.images == 1 { "image" } else { "images" };
        write!(f, "{path}: {} {noun}", self.images)
    }
}

fn lines(items: &[impl fmt::Display]) -> String {
    let mut text: String =
        items.iter().take(LISTED_FOLDERS).map(|item| format!("  {item}\n")).collect();
    if items.len() > LISTED_FOLDERS {
        text.push_str(&format!("  … and {} more\n", items.len() - LISTED_FOLDERS));
    }
    text
}

/// Folders with images that belong to no class.
#[derive(Debug)]
pub(crate) struct UnmappedFolders {
    folders: Vec<FolderCount>,
    /// Their names, each once: candidates for `data.classes`.
    names: Vec<String>,
}

impl UnmappedFolders {
    pub(super) fn new(folders: Vec<FolderCount>) -> Self {
        let mut names: Vec<String> = folders
            .iter()
            .filter_map(|folder| folder.path.rsplit('/').next())
            .filter(|name| !name.is_empty() && dataset::Split::from_folder_name(name).is_none())
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names.truncate(LISTED_FOLDERS);
        Self { folders, names }
    }
}

impl fmt::Display for UnmappedFolders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these hold images and stand for no class:\n{}", lines(&self.folders))?;
        if self.names.is_empty() {
            return f.write_str("put each image into a folder that is named as its class");
        }
        f.write_str(
            "say in config.yaml which class each folder holds (several may hold one), or that it \
             is left out:\ndata:\n  classes:\n",
        )?;
        for name in &self.names {
            writeln!(f, "    {}: [{}]", yaml_text(&class_name_for(name)), yaml_text(name))?;
        }
        let names: Vec<String> = self.names.iter().map(|name| yaml_text(name)).collect();
        writeln!(f, "  # or: ignore_folders: [{}]", names.join(", "))?;
        f.write_str("  positive: []   # of the classes above, those that count as the finding that is looked for")
    }
}

/// A class name that `config` accepts, made of a folder's: its words in small letters, with `_`
/// between them.
pub(crate) fn class_name_for(folder: &str) -> String {
    let words = folder.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}
