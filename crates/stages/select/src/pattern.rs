use regex::Regex;

/// A regular expression over checkpoint names whose one capture group is the validation accuracy.
///
/// It may match anywhere in the name; `^` and `$` tie it to the ends.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointPattern(Regex);

/// An unusable pattern. Every message names the pattern and the text it was tried on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    /// Not a regular expression.
    #[error("read the checkpoint pattern '{pattern}': not a regular expression")]
    Syntax {
        /// The pattern.
        pattern: String,
    },
    /// No capture group, or more than one.
    #[error(
        "read the checkpoint pattern '{pattern}': it has {groups} capture groups; \
         it needs one, around the validation accuracy"
    )]
    Groups {
        /// The pattern.
        pattern: String,
        /// Its number of groups.
        groups: usize,
    },
    /// The group holds something other than a number.
    #[error(
        "read the validation accuracy of {file_name}: the capture group of '{pattern}' holds \
         {captured:?}, which is not a number; put the group around the number alone"
    )]
    NotANumber {
        /// The checkpoint.
        file_name: String,
        /// The pattern.
        pattern: String,
        /// The content of the group.
        captured: String,
    },
    /// No checkpoint's name matches.
    #[error(
        "find a checkpoint: no file name fits the pattern '{pattern}', {file_name} for example does \
         not; correct select.checkpoint_pattern in params.yaml, or give --pattern"
    )]
    NoMatch {
        /// One of the names it was tried on.
        file_name: String,
        /// The pattern.
        pattern: String,
    },
}

impl PatternError {
    /// No name matches; `file_name` is one of those that were tried.
    pub(crate) fn no_match(pattern: &CheckpointPattern, file_name: &str) -> Self {
        Self::NoMatch { file_name: file_name.into(), pattern: pattern.as_str().into() }
    }
}

impl CheckpointPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When it is not a regular expression with exactly one capture group.
    pub(crate) fn new(pattern: &str) -> Result<Self, PatternError> {
        let regex = Regex::new(pattern)
            .map_err(|_| PatternError::Syntax { pattern: pattern.to_owned() })?;
        let groups = regex.captures_len() - 1;
        if groups != 1 {
            return Err(PatternError::Groups { pattern: pattern.to_owned(), groups });
        }
        Ok(Self(regex))
    }

    /// The pattern's text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The validation accuracy in a file name, or `None` if the name does not match.
    ///
    /// # Errors
    /// When the name matches but the group does not hold a finite number.
    pub(crate) fn validation_accuracy(&self, file_name: &str) -> Result<Option<f64>, PatternError> {
        let Some(captures) = self.0.captures(file_name) else { return Ok(None) };
        let captured = captures.get(1).map_or("", |group| group.as_str());
        match captured.parse::<f64>() {
            Ok(accuracy) if accuracy.is_finite() => Ok(Some(accuracy)),
            _ => Err(PatternError::NotANumber {
                file_name: file_name.to_owned(),
                pattern: self.as_str().to_owned(),
                captured: captured.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "model_e7_acc0.9875_vacc0.9166.safetensors";
    const USUAL: &str = r"model_e\d+_acc\d\.\d+_vacc(\d\.\d+)\.safetensors";

    fn accuracy(pattern: &str, name: &str) -> Result<Option<f64>, PatternError> {
        CheckpointPattern::new(pattern)?.validation_accuracy(name)
    }

    #[test]
    fn the_usual_pattern_reads_the_validation_accuracy() {
        assert_eq!(accuracy(USUAL, NAME), Ok(Some(0.9166)));
        assert_eq!(accuracy(USUAL, "model_e7.safetensors"), Ok(None));
    }

    #[test]
    fn a_group_around_text_is_refused_with_name_and_pattern() {
        for pattern in [r"model_(e\d+)", r"vacc([\d.]+)", r"vacc(.*)", r"model()", r"model(x)?"] {
            let message = accuracy(pattern, NAME).unwrap_err().to_string();
            assert!(message.contains(NAME), "{message}");
            assert!(message.contains(&format!("'{pattern}'")), "{message}");
        }
    }

    #[test]
    fn infinity_is_not_an_accuracy() {
        assert!(accuracy(r"vacc(\w+)", "vaccinf").is_err());
        assert!(accuracy(r"vacc(\w+)", "vaccNaN").is_err());
    }

    #[test]
    fn a_pattern_needs_one_group() {
        for (pattern, groups) in [(r"vacc\d", 0), (r"acc(\d)_vacc(\d)", 2)] {
            let expected = PatternError::Groups { pattern: pattern.into(), groups };
            assert_eq!(CheckpointPattern::new(pattern).unwrap_err(), expected);
        }
        assert!(matches!(CheckpointPattern::new("("), Err(PatternError::Syntax { .. })));
    }
}
