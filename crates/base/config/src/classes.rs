use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::refusal::{Refusal, require};

/// Classes in the order of their indices, each with the folder names that belong to it.
///
/// In YAML a map from class to a list of folder names. The order of the file does not matter:
/// classes are indexed by name, as Keras' `flow_from_directory` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassMap(BTreeMap<String, Vec<String>>);

impl ClassMap {
    /// Class names in index order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The source folders that hold a class; `None` for a class that there is not.
    pub fn folders_of(&self, class: &str) -> Option<&[String]> {
        self.0.get(class).map(Vec::as_slice)
    }

    /// The class that a source folder belongs to; letter case does not matter.
    pub fn class_of_folder(&self, folder: &str) -> Option<&str> {
        let folder = folder.to_lowercase();
        self.0
            .iter()
            .find(|(_, folders)| folders.iter().any(|known| known.to_lowercase() == folder))
            .map(|(class, _)| class.as_str())
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let key = "data.classes";
        require(self.0.len() >= 2, key, self.0.len(), "a classifier needs two classes or more")?;
        let mut seen: Vec<(String, &str)> = Vec::new();
        for (class, folders) in &self.0 {
            let key = format!("data.classes.{class}");
            require(
                is_plain_name(class),
                "data.classes",
                format!("{class:?}"),
                "a class name becomes a folder name: letters, digits, '.', '_', '-' and spaces, starting with a letter, digit or underscore",
            )?;
            require(!folders.is_empty(), &key, "empty", "name the folders that hold this class")?;
            for folder in folders {
                let lower = folder.to_lowercase();
                if let Some((_, other)) = seen.iter().find(|(known, _)| *known == lower) {
                    let expected = format!("the folder is mapped to {other} already");
                    return require(false, &key, format!("{folder:?}"), &expected);
                }
                seen.push((lower, class));
            }
        }
        Ok(())
    }
}

impl FromIterator<(String, Vec<String>)> for ClassMap {
    fn from_iter<I: IntoIterator<Item = (String, Vec<String>)>>(classes: I) -> Self {
        Self(classes.into_iter().collect())
    }
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        // A leading '.' hides a folder, '-' begins an option, and the others begin a formula in a
        // spreadsheet.
        && !name.starts_with(['.', '-'])
        && name.trim() == name
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[(&str, &str)]) -> ClassMap {
        names.iter().map(|(class, folder)| ((*class).into(), vec![(*folder).into()])).collect()
    }

    #[test]
    fn a_folder_belongs_to_its_class_in_any_letter_case() {
        let classes = classes(&[("oedema", "Ödem"), ("normal", "normal")]);
        assert_eq!(classes.class_of_folder("ÖDEM"), Some("oedema"));
        assert_eq!(classes.class_of_folder("Normal"), Some("normal"));
        assert_eq!(classes.class_of_folder("odem"), None);
    }

    #[test]
    fn a_class_that_a_shell_or_a_spreadsheet_takes_for_something_else_is_refused() {
        for name in ["-ve", "=1+1", ".hidden", "a/b", " a", ""] {
            let refusal = classes(&[(name, "x"), ("b", "b")]).check().unwrap_err();
            assert_eq!(refusal.key, "data.classes", "{name:?}");
        }
        classes(&[("_a", "a"), ("2 b-c", "b")]).check().unwrap();
    }
}
