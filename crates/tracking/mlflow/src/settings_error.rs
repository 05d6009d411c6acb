/// A variable that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read {variable}: {reason}")]
pub struct SettingsError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it.
    pub reason: String,
}
