use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use artifact::Digest;
use reqwest::blocking::RequestBuilder;
use url::Url;

/// A whole file to download.
#[derive(Debug, Clone)]
pub struct FileRequest {
    /// Its address.
    pub url: Url,
    /// Credentials; not passed on to another host that the server redirects to.
    pub authorization: Option<Authorization>,
    /// The digest the file must have, if known.
    pub sha256: Option<Digest>,
    /// What kind of file it must be.
    pub expect: Expect,
    /// Its name in the progress bar.
    pub label: String,
}

/// A range of bytes of a file to download.
#[derive(Debug, Clone)]
pub struct RangeRequest {
    /// The file's address.
    pub url: Url,
    /// Credentials; not passed on to another host that the server redirects to.
    pub authorization: Option<Authorization>,
    /// From the first byte to the one after the last.
    pub bytes: Range<u64>,
    /// Its name in the progress bar.
    pub label: String,
}

/// Credentials. Their `Debug` form does not show them.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// User name and password or key.
    Basic {
        /// The name.
        user: String,
        /// The password or key.
        password: String,
    },
    /// A token.
    Bearer(String),
}

impl Authorization {
    pub(crate) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic { user, password } => request.basic_auth(user, Some(password)),
            Self::Bearer(token) => request.bearer_auth(token),
        }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(hidden)",
            Self::Bearer(_) => "Bearer(hidden)",
        })
    }
}

/// The kind of file expected, recognised by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// A zip archive.
    Zip,
    /// Anything.
    Any,
}

/// A file that was downloaded completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Its path.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// The answer to a [`RangeRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeReply {
    /// The requested range, up to the end of the file.
    Part(RangePart),
    /// The server does not support ranges and would send the whole file. Nothing was read.
    Unsupported,
}

/// A range of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangePart {
    /// The bytes; fewer than requested only at the end of the file.
    pub bytes: Vec<u8>,
    /// The size of the whole file, if the server states it.
    pub total_bytes: Option<u64>,
    /// The server's mark of this version of the file, if it gives one.
    pub etag: Option<String>,
}

/// The answer to a request for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextReply {
    /// Text of any kind: HTML, JSON, plain.
    Text(String),
    /// Something else. Nothing was read.
    NotText {
        /// The kind the server names; empty if it names none.
        content_type: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_credentials() {
        let basic = Authorization::Basic { user: "ada".into(), password: "hush".into() };
        let bearer = Authorization::Bearer("hush".into());
        assert_eq!(format!("{basic:?} {bearer:?}"), "Basic(hidden) Bearer(hidden)");
    }
}
