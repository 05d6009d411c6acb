use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;

use crate::{InvalidArtifactPath, InvalidDataset, InvalidKey, InvalidName, SettingsError};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the server or of this machine. One line, with the cause and, if a setting may be
/// wrong, the variable to check; never a secret. Reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable has an unusable value.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Encrypted connections cannot be set up.
    #[error("set up encrypted connections: {reason}")]
    Tls {
        /// The error, with the variable it came from.
        reason: String,
    },
    /// A request failed.
    #[error("{action} at {address}: {failure}")]
    Request {
        /// The action: "create a run".
        action: &'static str,
        /// The endpoint.
        address: String,
        /// What happened.
        failure: Box<Failure>,
    },
    /// A name that MLflow rejects for a metric, parameter or tag.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// A name that MLflow rejects for a model, an alias, a run, or a model's address.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// An invalid path for an artifact.
    #[error(transparent)]
    ArtifactPath(#[from] InvalidArtifactPath),
    /// A dataset that MLflow rejects.
    #[error(transparent)]
    Dataset(#[from] InvalidDataset),
    /// This client cannot reach the storage of the artifacts.
    #[error("{action} in {location}: {reason}")]
    ArtifactStore {
        /// The action: "upload an artifact".
        action: &'static str,
        /// Their storage.
        location: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// A file on this machine cannot be read or written.
    #[error(transparent)]
    File(#[from] artifact::IoError),
    /// A spool that cannot be delivered in its present state.
    #[error("deliver {}: {reason}", folder.display())]
    Spool {
        /// The spool's folder.
        folder: PathBuf,
        /// The reason, and what to do.
        reason: String,
    },
}

/// The failure of a request.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection: no such host, no server listens, or another certificate than expected.
    #[error("{reason}; {advice}")]
    Unreachable {
        /// The message of the operating system or the TLS library.
        reason: String,
        /// What to check.
        advice: &'static str,
    },
    /// No answer came in time.
    #[error("no answer within {} s (MLFLOW_HTTP_REQUEST_TIMEOUT)", after.as_secs())]
    TimedOut {
        /// How long the client waited.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection broke: {reason}")]
    Broken {
        /// The message of the operating system or the protocol.
        reason: String,
    },
    /// The server refused, or failed.
    #[error("the server answered {}{}", status.as_u16(), described(code.as_deref(), message, *retry_after, advice.as_deref()))]
    Answered {
        /// The HTTP status.
        status: StatusCode,
        /// MLflow's name for the error, such as `RESOURCE_DOES_NOT_EXIST`.
        code: Option<String>,
        /// The server's own words, shortened.
        message: String,
        /// What to check.
        advice: Option<String>,
        /// The pause it asks for.
        retry_after: Option<Duration>,
    },
    /// The server has it, but it is unusable.
    #[error("{reason}")]
    Unusable {
        /// The reason, and what to do.
        reason: String,
    },
    /// The answer was a success, but cannot be parsed.
    #[error("the server's answer is not that of MLflow: {reason}; check MLFLOW_TRACKING_URI")]
    Unreadable {
        /// The part that does not fit.
        reason: String,
    },
}

fn described(
    code: Option<&str>,
    message: &str,
    retry_after: Option<Duration>,
    advice: Option<&str>,
) -> String {
    let mut text = String::new();
    if let Some(code) = code {
        text.push_str(&format!(" {code}"));
    }
    if !message.is_empty() {
        text.push_str(&format!(": {message}"));
    }
    if let Some(pause) = retry_after {
        text.push_str(&format!("; it asks to come back in {} s", pause.as_secs()));
    }
    if let Some(advice) = advice {
        text.push_str(&format!("; {advice}"));
    }
    text
}

/// Whether a status means that the same request may succeed later.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

impl Error {
    pub(crate) fn request(action: &'static str, address: String, failure: Failure) -> Self {
        Self::Request { action, address, failure: Box::new(failure) }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Request { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// The HTTP status of the server's answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self.failure()? {
            Failure::Answered { status, .. } => Some(status.as_u16()),
            _ => None,
        }
    }

    /// MLflow's name for the error, such as `RESOURCE_DOES_NOT_EXIST`.
    pub fn code(&self) -> Option<&str> {
        match self.failure()? {
            Failure::Answered { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    /// Whether the requested object does not exist.
    pub fn is_missing(&self) -> bool {
        self.code() == Some("RESOURCE_DOES_NOT_EXIST")
    }

    /// Whether the object to create already exists.
    pub fn is_already_there(&self) -> bool {
        self.code() == Some("RESOURCE_ALREADY_EXISTS")
    }

    /// Whether no server could be reached at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.failure(), Some(Failure::Unreachable { .. }))
    }

    /// Whether the same request may succeed later: no or a broken connection, a timeout, or
    /// status 408, 429, 500, 502, 503 or 504.
    pub fn is_passing(&self) -> bool {
        match self.failure() {
            Some(
                Failure::Unreachable { .. } | Failure::TimedOut { .. } | Failure::Broken { .. },
            ) => true,
            Some(Failure::Answered { status, .. }) => may_pass(*status),
            Some(Failure::Unreadable { .. } | Failure::Unusable { .. }) | None => false,
        }
    }

    /// Whether a server answered, and did not do what was requested.
    pub(crate) fn was_reached(&self) -> bool {
        self.failure().is_some() && !self.is_unreachable()
    }

    /// The pause the server asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.failure()? {
            Failure::Answered { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
