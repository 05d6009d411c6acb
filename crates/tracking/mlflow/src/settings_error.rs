/// A variable with an unusable value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read {variable}: {reason}")]
pub struct SettingsError {
    /// Its name.
    pub variable: &'static str,
    /// The error.
    pub reason: String,
}
