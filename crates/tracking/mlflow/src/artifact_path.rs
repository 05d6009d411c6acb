use std::fmt;

use serde::{Deserialize, Serialize};

/// The path of an artifact below the folder of its run or model: `plots/loss.png`. Its segments are
/// separated by `/`; none is empty, `.` or `..`, and there is no `\`, `#`, `?`, `%` or control
/// character in it. So it stays inside its folder on any machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ArtifactPath(String);

/// An invalid path for an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no path of an artifact: it is relative, such as plots/loss.png, without empty \
     segments, . and .., and without \\ # ? % and control characters"
)]
pub struct InvalidArtifactPath(pub String);

impl ArtifactPath {
    /// Checks a path.
    ///
    /// # Errors
    /// When it could leave its folder, or the server would refuse it.
    pub fn new(path: impl Into<String>) -> Result<Self, InvalidArtifactPath> {
        let path = path.into();
        let is_plain = |segment: &str| !matches!(segment, "" | "." | "..");
        let is_odd = |character: char| {
            // The server decodes twice, so `%` would be changed.
            matches!(character, '\\' | '#' | '?' | '%') || character.is_control()
        };
        // `c:` would be a drive, `file:` a scheme.
        let first = path.split('/').next().unwrap_or_default();
        if path.split('/').all(is_plain) && !path.contains(is_odd) && !first.contains(':') {
            Ok(Self(path))
        } else {
            Err(InvalidArtifactPath(path))
        }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names between the slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ArtifactPath> for String {
    fn from(path: ArtifactPath) -> Self {
        path.0
    }
}

impl TryFrom<String> for ArtifactPath {
    type Error = InvalidArtifactPath;

    fn try_from(path: String) -> Result<Self, InvalidArtifactPath> {
        Self::new(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_its_folder() {
        for path in ["scores.json", "plots/Größe 1+2.png", "..a", "a/b:c"] {
            assert!(ArtifactPath::new(path).is_ok(), "{path}");
        }
        let outside = [
            "",
            "/etc/passwd",
            "a//b",
            "a/",
            "../a",
            "a/../../b",
            ".",
            "a\\b",
            "c:/a",
            "a?b",
            "a%20b",
            "a\0",
        ];
        for path in outside {
            assert!(ArtifactPath::new(path).is_err(), "{path}");
        }
    }
}
