use std::fmt;
use std::time::Duration;

use artifact::{Digest, IoError};
use reqwest::StatusCode;
use url::Url;

use crate::content::UnexpectedContent;

/// A download that did not finish.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The HTTP client cannot be set up, as when the system has no certificates.
    #[error("set up the HTTP client: {0}")]
    Client(#[source] reqwest::Error),
    /// No connection: no network, no such host, or no server listens there.
    #[error("reach {}: {reason}; check the network connection and the address", address.host())]
    Unreachable {
        /// The address.
        address: Address,
        /// The operating system's message.
        reason: String,
    },
    /// The connection broke or timed out.
    #[error("download {}: {reason}", address)]
    Broken {
        /// The address.
        address: Address,
        /// What went wrong.
        reason: String,
    },
    /// The server sent fewer bytes than it announced.
    #[error("download {}: truncated; {got} of {expected} bytes came", address)]
    Truncated {
        /// The address.
        address: Address,
        /// Bytes announced.
        expected: u64,
        /// Bytes received.
        got: u64,
    },
    /// The server sends without end, or more than any file we expect.
    #[error("download {}: it has more than {most} bytes, which is more than is taken", address)]
    TooLong {
        /// The address.
        address: Address,
        /// The largest size accepted.
        most: u64,
    },
    /// The server refused, or failed.
    #[error("download {}: the server answered {status}; {}", address, advice(*status))]
    Status {
        /// The address.
        address: Address,
        /// Its answer.
        status: StatusCode,
    },
    /// The server asks for a longer pause than is reasonable.
    #[error(
        "download {}: the server asks to come back in {} minutes; run again then",
        address,
        after.as_secs().div_ceil(60)
    )]
    ComeBackLater {
        /// The address.
        address: Address,
        /// The pause it asks for.
        after: Duration,
    },
    /// The server's answer does not fit the range that was asked for.
    #[error("download {}: {reason}", address)]
    Range {
        /// The address.
        address: Address,
        /// What does not fit.
        reason: String,
    },
    /// The content is another kind of file.
    #[error("download {}: {found}", address)]
    Unexpected {
        /// The address.
        address: Address,
        /// The content received.
        found: UnexpectedContent,
    },
    /// The page is larger than a page should be.
    #[error("read {}: longer than {limit_bytes} bytes, which no page should be", address)]
    PageTooLong {
        /// The address.
        address: Address,
        /// The most that is read.
        limit_bytes: u64,
    },
    /// The file arrived completely and has the wrong digest.
    #[error(
        "download {}: wrong SHA-256: expected {expected}, got {got}; what came was removed. \
         Check the address and the digest",
        address
    )]
    Digest {
        /// The address.
        address: Address,
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the file received.
        got: Digest,
    },
    /// A file on this machine cannot be read or written.
    #[error(transparent)]
    File(#[from] IoError),
    /// Every attempt failed.
    #[error("{last} (tried {attempts} times)")]
    GaveUp {
        /// Number of attempts.
        attempts: u32,
        /// The last error.
        last: Box<DownloadError>,
    },
}

impl DownloadError {
    /// Whether no server could be reached at all, as on a machine without a network.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::GaveUp { last, .. } => last.is_unreachable(),
            _ => false,
        }
    }
}

/// An address as it may be displayed: without credentials, query and fragment, which may hold a key
/// or a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The host, with its port if that is not the default.
    fn host(&self) -> &str {
        let behind_scheme = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        behind_scheme.split('/').next().unwrap_or_default()
    }
}

impl From<&Url> for Address {
    fn from(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Self(format!("{}://{host}{port}{}", url.scheme(), url.path()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "check the credentials",
        StatusCode::FORBIDDEN => {
            "check that the credentials may read it, and that its terms were accepted on its page"
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => "check the address",
        StatusCode::TOO_MANY_REQUESTS => "too many requests; run again later",
        status if status.is_server_error() => "the fault is at its end; run again later",
        _ => "check the address and the credentials",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let url =
            Url::parse("https://ada:hush@host.example:8443/a/b.zip?signature=hush#x").unwrap();
        let address = Address::from(&url);
        assert_eq!(address.to_string(), "https://host.example:8443/a/b.zip");
        assert_eq!(address.host(), "host.example:8443");
    }
}
