use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that MLflow rejects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no {kind}: {reason}")]
pub struct InvalidName {
    /// The name.
    pub name: String,
    /// The kind of name: "run ID".
    pub kind: &'static str,
    /// The error.
    pub reason: &'static str,
}

/// A text that was checked once and is valid from then on.
macro_rules! checked_name {
    ($(#[$documentation:meta])* $name:ident, $kind:literal, $reason_to_refuse:ident) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a text.
            ///
            /// # Errors
            /// When MLflow would refuse it.
            pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
                let name = name.into();
                match $reason_to_refuse(&name) {
                    None => Ok(Self(name)),
                    Some(reason) => Err(InvalidName { name, kind: $kind, reason }),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(name: String) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }
    };
}

checked_name! {
    /// The server's ID of a run: letters, digits, `_` and `-`.
    RunId, "run ID", reason_to_refuse_id
}
checked_name! {
    /// The server's ID of a logged model: `m-` and 32 digits.
    LoggedModelId, "ID of a logged model", reason_to_refuse_id
}
checked_name! {
    /// The name of a registered model: anything but `/` and `:`, and neither `.` nor `..` at its
    /// beginning.
    ModelName, "name of a registered model", reason_to_refuse_model_name
}
checked_name! {
    /// Another name for one version of a registered model, such as `champion`: letters, digits,
    /// `_` and `-`; not `latest`, and not `v` with a number.
    Alias, "alias of a model version", reason_to_refuse_alias
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-')
}

fn reason_to_refuse_id(name: &str) -> Option<&'static str> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if starts_well && name.chars().count() <= 256 && name.chars().all(is_word) {
        return None;
    }
    Some("it is made of up to 256 letters, digits, _ and -, and begins with a letter or digit")
}

fn reason_to_refuse_model_name(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("it is empty")
    } else if name.contains(['/', ':']) {
        Some("MLflow takes no / and no : in it")
    } else if name == "." || name.starts_with("..") {
        Some("it would be a path")
    } else {
        None
    }
}

fn reason_to_refuse_alias(name: &str) -> Option<&'static str> {
    let is_version = || {
        let digits = name.strip_prefix(['v', 'V']);
        digits.is_some_and(|digits| {
            !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit())
        })
    };
    if name.is_empty() || name.chars().count() > 255 || !name.chars().all(is_word) {
        Some("it is made of up to 255 letters, digits, _ and -")
    } else if name.eq_ignore_ascii_case("latest") || is_version() {
        Some("MLflow keeps latest, and v with a number, for itself")
    } else {
        None
    }
}

/// A version of a registered model: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelReference {
    /// The version that an alias points to.
    Alias(ModelName, Alias),
    /// The version with a number.
    Version(ModelName, u64),
}

impl ModelReference {
    /// The model's name.
    pub fn name(&self) -> &ModelName {
        match self {
            Self::Alias(name, _) | Self::Version(name, _) => name,
        }
    }
}

impl FromStr for ModelReference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName {
            name: text.to_owned(),
            kind: "address of a registered model",
            reason: "it looks like models:/NAME@ALIAS or models:/NAME/VERSION",
        };
        let path = text.strip_prefix("models:/").ok_or_else(invalid)?;
        if let Some((name, version)) = path.split_once('/') {
            let version = version.parse().map_err(|_| invalid())?;
            return Ok(Self::Version(ModelName::new(name)?, version));
        }
        let (name, alias) = path.rsplit_once('@').ok_or_else(invalid)?;
        Ok(Self::Alias(ModelName::new(name)?, Alias::new(alias)?))
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(name, alias) => write!(f, "models:/{name}@{alias}"),
            Self::Version(name, version) => write!(f, "models:/{name}/{version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_where_the_server_refuses_them() {
        assert!(RunId::new("49f45be424fe44779dcc3072d43b9516").is_ok());
        for name in ["", "-a", "a/b", "a b", "a.b"] {
            assert!(RunId::new(name).is_err(), "{name}");
        }
        for name in ["ct", "Größe 3", "a.b"] {
            assert!(ModelName::new(name).is_ok(), "{name}");
        }
        for name in ["", " ", "a/b", "a:b", "..", "..a", "."] {
            assert!(ModelName::new(name).is_err(), "{name}");
        }
        for name in ["champion", "v", "v1b", "challenger_2"] {
            assert!(Alias::new(name).is_ok(), "{name}");
        }
        for name in ["", "latest", "Latest", "v1", "V20", "a b", "a@b"] {
            assert!(Alias::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn addresses_of_models_read_as_they_are_written() {
        for text in ["models:/chest ct@champion", "models:/ct/3"] {
            assert_eq!(text.parse::<ModelReference>().unwrap().to_string(), text);
        }
        for text in
            ["ct@champion", "models:/ct", "models:/ct@v1", "models:/ct/new", "models://ct/3"]
        {
            assert!(text.parse::<ModelReference>().is_err(), "{text}");
        }
    }
}
