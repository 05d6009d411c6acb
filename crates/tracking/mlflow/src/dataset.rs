use serde::{Deserialize, Serialize};

/// A dataset as an input of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Dataset(Fields);

/// The parts of a dataset; [`Dataset::new`] checks them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fields {
    /// Its name: 1 to 500 characters.
    pub name: String,
    /// The digest of its content: 1 to 36 characters. For a SHA-256 digest, the first ones.
    pub digest: String,
    /// The kind of place it comes from: `local`, `http`, `s3`.
    pub source_type: String,
    /// The place, as JSON: `{"uri": "data/scans.zip"}`.
    pub source: String,
    /// Its columns, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its numbers, as JSON: `{"images": 944, "classes": 4}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The purpose that the run used it for: `training`, `evaluation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// A dataset that MLflow rejects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the dataset's {field} has {found} characters; MLflow takes {least} to {most}")]
pub struct InvalidDataset {
    /// The wrong part.
    pub field: &'static str,
    /// Its length.
    pub found: usize,
    /// The smallest length allowed.
    pub least: usize,
    /// The largest length allowed.
    pub most: usize,
}

impl Dataset {
    /// Checks the lengths that the server would refuse.
    ///
    /// # Errors
    /// When a part is too long or empty.
    pub fn new(fields: Fields) -> std::result::Result<Self, InvalidDataset> {
        let length = |text: &str| text.chars().count();
        let optional = |text: &Option<String>| text.as_deref().map_or(0, length);
        let checks = [
            ("name", length(&fields.name), 1, 500),
            ("digest", length(&fields.digest), 1, 36),
            ("source type", length(&fields.source_type), 1, 36),
            ("source", length(&fields.source), 1, 65_535),
            ("schema", optional(&fields.schema), 0, 1_048_575),
            ("profile", optional(&fields.profile), 0, 16_777_215),
            ("context", optional(&fields.context), 0, 500),
        ];
        match checks.into_iter().find(|(_, found, least, most)| !(*least..=*most).contains(found)) {
            Some((field, found, least, most)) => Err(InvalidDataset { field, found, least, most }),
            None => Ok(Self(fields)),
        }
    }

    /// Its parts.
    pub fn fields(&self) -> &Fields {
        &self.0
    }
}

impl TryFrom<Fields> for Dataset {
    type Error = InvalidDataset;

    fn try_from(fields: Fields) -> std::result::Result<Self, InvalidDataset> {
        Self::new(fields)
    }
}

impl From<Dataset> for Fields {
    fn from(dataset: Dataset) -> Self {
        dataset.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_that_the_server_would_refuse_is_refused_here() {
        let fields = |digest: &str| Fields {
            name: "chest CT".into(),
            digest: digest.into(),
            source_type: "local".into(),
            source: "{}".into(),
            ..Fields::default()
        };
        assert!(Dataset::new(fields(&"a".repeat(36))).is_ok());
        assert!(Dataset::new(fields("")).is_err());
        let message = Dataset::new(fields(&"a".repeat(64))).unwrap_err().to_string();
        assert_eq!(message, "the dataset's digest has 64 characters; MLflow takes 1 to 36");
    }
}
