use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifact::IoError;
use serde::{Deserialize, Serialize};

/// The position of a class in the model's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassIndex(pub usize);

/// Class names in the order of the model's outputs.
///
/// Stored as `class_indices.json`: an object from name to index, as Keras' `class_indices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, usize>", into = "BTreeMap<String, usize>")]
pub struct ClassIndices(Vec<String>);

/// Class indices that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassIndicesError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] IoError),
    /// The indices are not 0, 1, 2, …
    #[error("class indices are {found:?}; expected each of 0 to {last} once")]
    NotContiguous {
        /// The indices found, sorted.
        found: Vec<usize>,
        /// The highest index expected.
        last: usize,
    },
    /// A name that could lead out of the class's folder, or that cannot be displayed.
    #[error(
        "the class {0:?} has no usable name: it becomes a folder's, so one without / and \\, control characters, or a dot at its beginning, of at most 200 bytes"
    )]
    NotAName(String),
    /// A class that the model does not have.
    #[error("class {class:?} is not one of {known:?}")]
    Unknown {
        /// The class asked for.
        class: String,
        /// The classes that exist.
        known: Vec<String>,
    },
}

impl ClassIndices {
    /// Indexes names alphabetically, as Keras' `flow_from_directory` does; each name counts once.
    pub fn of_names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        names.sort();
        names.dedup();
        Self(names)
    }

    /// Names in index order.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of a class, or `None` where the index is too large.
    pub fn name(&self, index: ClassIndex) -> Option<&str> {
        self.0.get(index.0).map(String::as_str)
    }

    /// The index of a class.
    ///
    /// # Errors
    /// When there is no such class; the error lists the classes that exist.
    pub fn index(&self, class: &str) -> Result<ClassIndex, ClassIndicesError> {
        self.0.iter().position(|name| name == class).map(ClassIndex).ok_or_else(|| {
            ClassIndicesError::Unknown { class: class.to_owned(), known: self.0.clone() }
        })
    }

    /// The file's name.
    pub const FILE: &str = "class_indices.json";

    /// Where the file lies in a checkpoint or model folder.
    pub fn path_in(folder: &Path) -> PathBuf {
        folder.join(Self::FILE)
    }

    /// Reads `class_indices.json` from a checkpoint or model folder.
    ///
    /// # Errors
    /// When it is missing, not JSON, its indices have gaps, or a name cannot be a folder name.
    pub fn read(folder: &Path) -> Result<Self, ClassIndicesError> {
        let indices: Self = artifact::read_json(&Self::path_in(folder))?;
        indices.check_names()?;
        Ok(indices)
    }

    /// Checks that every name can be the name of a folder, since images are sorted into folders.
    ///
    /// # Errors
    /// [`ClassIndicesError::NotAName`].
    pub fn check_names(&self) -> Result<(), ClassIndicesError> {
        match self.0.iter().find(|name| !is_folder_name(name)) {
            Some(name) => Err(ClassIndicesError::NotAName(name.clone())),
            None => Ok(()),
        }
    }

    /// Writes `class_indices.json` into a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ClassIndicesError> {
        Ok(artifact::write_json(&Self::path_in(folder), self)?)
    }
}

/// Whether a name is a single part of a path, and not one like `..`.
fn is_folder_name(name: &str) -> bool {
    const LONGEST: usize = 200;
    !name.is_empty()
        && name.len() <= LONGEST
        && !name.starts_with('.')
        && !name.chars().any(|character| matches!(character, '/' | '\\') || character.is_control())
}

impl TryFrom<BTreeMap<String, usize>> for ClassIndices {
    type Error = ClassIndicesError;

    fn try_from(indices: BTreeMap<String, usize>) -> Result<Self, Self::Error> {
        let mut pairs: Vec<(usize, String)> =
            indices.into_iter().map(|(name, index)| (index, name)).collect();
        pairs.sort();
        if pairs.iter().enumerate().any(|(expected, (index, _))| expected != *index) {
            return Err(ClassIndicesError::NotContiguous {
                last: pairs.len().saturating_sub(1),
                found: pairs.into_iter().map(|(index, _)| index).collect(),
            });
        }
        Ok(Self(pairs.into_iter().map(|(_, name)| name).collect()))
    }
}

impl From<ClassIndices> for BTreeMap<String, usize> {
    fn from(indices: ClassIndices) -> Self {
        indices.0.into_iter().enumerate().map(|(index, name)| (name, index)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_indexed_alphabetically() {
        let indices = ClassIndices::of_names(["squamous", "adeno", "normal", "adeno"]);
        assert_eq!(indices.names(), ["adeno", "normal", "squamous"]);
        assert_eq!(indices.index("normal").unwrap(), ClassIndex(1));
    }

    #[test]
    fn a_name_that_leads_out_of_its_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../../x", "..", "", "a/b", "a\\\\b", "/etc", "a\\u001b[2J", ".hidden"] {
            let text = format!("{{\"{name}\": 0}}");
            artifact::write_file(&ClassIndices::path_in(folder.path()), text.as_bytes()).unwrap();
            let error = ClassIndices::read(folder.path()).unwrap_err();
            assert!(matches!(error, ClassIndicesError::NotAName(_)), "{name}: {error}");
        }
        ClassIndices::of_names(["Ödem, rechts", "large cell carcinoma"]).check_names().unwrap();
    }

    #[test]
    fn the_file_is_an_object_from_name_to_index() {
        let folder = tempfile::tempdir().unwrap();
        let indices = ClassIndices::of_names(["b", "a"]);
        indices.write(folder.path()).unwrap();
        let text = artifact::read_text(&ClassIndices::path_in(folder.path())).unwrap();
        assert_eq!(text, "{\n  \"a\": 0,\n  \"b\": 1\n}\n");
        assert_eq!(ClassIndices::read(folder.path()).unwrap(), indices);
    }

    #[test]
    fn indices_with_a_gap_are_refused() {
        let gap = serde_json::from_str::<ClassIndices>(r#"{"a": 0, "b": 2}"#);
        assert!(gap.unwrap_err().to_string().contains("0 to 1"));
    }
}
