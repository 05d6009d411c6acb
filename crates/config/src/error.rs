use std::io;
use std::path::PathBuf;

/// A configuration file that cannot be used. Programs answer it with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or unreadable.
    #[error(
        "read {}: {source}; run from the folder that holds it, or name it with --{flag}",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The flag that names another one.
        flag: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Not YAML, an unknown or missing key, or a value of the wrong type.
    #[error("understand {}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Key, line, column and reason.
        #[source]
        source: serde_yaml::Error,
    },
    /// A value of the right type that cannot be meant.
    #[error("accept {}: {key} is {value}; {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Dotted key, such as `train.learning_rate`.
        key: String,
        /// What stands there.
        value: String,
        /// What may stand there.
        expected: String,
    },
}
