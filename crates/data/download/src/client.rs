use std::error::Error as _;
use std::io;
use std::time::Duration;

use config::DownloadConfig;
use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::ACCEPT_ENCODING;
use url::Url;

use crate::retry::{Failure, asked_pause};
use crate::{Authorization, DownloadError};

/// Downloads files over HTTP. Keeps cookies and connections between calls.
#[derive(Debug)]
pub struct Downloader {
    client: Client,
    pub(crate) config: DownloadConfig,
    pub(crate) most_bytes: u64,
}

/// The largest file that is accepted by default, so that a server cannot fill the disk.
const LARGEST_FILE_BYTES: u64 = 256 << 30;

impl Downloader {
    /// Sets up a client with the timeouts and retries of `config.yaml: download`.
    ///
    /// # Errors
    /// When TLS cannot be set up, as on a system without certificates.
    pub fn new(config: &DownloadConfig) -> Result<Self, DownloadError> {
        // reqwest is built without ciphers of its own. A second call finds them installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("hounsfield/", env!("CARGO_PKG_VERSION")))
            // In the blocking client this limits each connect and each read, not the whole
            // transfer.
            .timeout(Duration::from_secs(config.timeout_seconds))
            .cookie_store(true)
            .build()
            .map_err(DownloadError::Client)?;
        Ok(Self { client, config: config.clone(), most_bytes: LARGEST_FILE_BYTES })
    }

    /// The same, for files of at most this many bytes.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// A request for the bytes as stored on the server, without compression in transit.
    pub(crate) fn get(&self, url: &Url, authorization: Option<&Authorization>) -> RequestBuilder {
        let request = self.client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        match authorization {
            Some(authorization) => authorization.apply(request),
            None => request,
        }
    }
}

/// Sends a request. An answer that is neither a success nor about ranges is a failure.
pub(crate) fn send(request: RequestBuilder, url: &Url) -> Result<Response, Failure> {
    let response = request.send().map_err(|error| connection_failure(&error, url))?;
    let status = response.status();
    if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(response);
    }
    let error = DownloadError::Status { address: url.into(), status };
    if is_passing(status) {
        return Err(Failure::Passing { error, after: asked_pause(response.headers()) });
    }
    Err(Failure::Final(error))
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

fn connection_failure(error: &reqwest::Error, url: &Url) -> Failure {
    let address = url.into();
    if error.is_connect() {
        return Failure::passing(DownloadError::Unreachable { address, reason: root_cause(error) });
    }
    let broken = DownloadError::Broken { address, reason: reason(error) };
    if error.is_builder() || error.is_redirect() {
        return Failure::Final(broken);
    }
    Failure::passing(broken)
}

/// The failure of a read in the middle of a body: `got` of the `expected` bytes have arrived.
pub(crate) fn read_failure(
    error: &io::Error,
    url: &Url,
    got: u64,
    expected: Option<u64>,
) -> Failure {
    let address = url.into();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
    Failure::passing(match (inner, expected) {
        (Some(inner), _) if inner.is_timeout() => {
            DownloadError::Broken { address, reason: reason(inner) }
        }
        (_, Some(expected)) => DownloadError::Truncated { address, expected, got },
        (Some(inner), None) => DownloadError::Broken { address, reason: reason(inner) },
        (None, None) => DownloadError::Broken { address, reason: error.to_string() },
    })
}

fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no byte came for too long (download.timeout_seconds)".to_owned();
    }
    root_cause(error)
}

/// The innermost cause: the message of the operating system or the protocol, without the layers
/// around it (and without the address, which may hold a signature).
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}
