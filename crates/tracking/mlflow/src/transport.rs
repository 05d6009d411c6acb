//! Sends requests and reads answers, without interpreting them.

use std::error::Error as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::time::Duration;

use artifact::WithPath;
use reqwest::Method;
use reqwest::blocking::{Body, Client, ClientBuilder, RequestBuilder, Response};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::address::shown;
use crate::answer::Refusal;
use crate::error::Failure;
use crate::retry::RetryPolicy;
use crate::{Credentials, Error, Result, ServerAddress, Settings, Tls};

/// The slowest connection on which an upload still succeeds: 128 KiB a second.
const SLOWEST_UPLOAD_BYTES_PER_SECOND: u64 = 128 * 1024;

/// The longest error body that is read.
const LONGEST_REFUSAL_BYTES: u64 = 64 * 1024;

/// The longest JSON answer that is read: a page of a thousand runs is a tenth of it.
const LONGEST_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// The longest text that is read, such as a version.
const LONGEST_TEXT_BYTES: u64 = 64 * 1024;

/// The largest file that is downloaded: a hundred times a model.
const LARGEST_FILE_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// A connection to one server.
#[derive(Debug)]
pub(crate) struct Transport {
    /// Does not follow redirects: a POST would arrive as a GET.
    api: Client,
    /// Follows redirects, for example to a server's artifact store.
    downloads: Client,
    pub(crate) server: ServerAddress,
    pub(crate) credentials: Credentials,
    retries: RetryPolicy,
    timeout: Duration,
}

/// One request of MLflow's interface.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    action: &'static str,
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'a str, &'a str)>,
    body: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    /// `path` is below `api/2.0/mlflow`, and its segments are separated by `/`.
    pub(crate) fn get(action: &'static str, path: &'a str) -> Self {
        Self::new(action, Method::GET, path)
    }

    pub(crate) fn post(action: &'static str, path: &'a str) -> Self {
        Self::new(action, Method::POST, path)
    }

    pub(crate) fn patch(action: &'static str, path: &'a str) -> Self {
        Self::new(action, Method::PATCH, path)
    }

    pub(crate) fn delete(action: &'static str, path: &'a str) -> Self {
        Self::new(action, Method::DELETE, path)
    }

    fn new(action: &'static str, method: Method, path: &'a str) -> Self {
        let path = ["api", "2.0", "mlflow"].into_iter().chain(path.split('/')).collect();
        Self { action, method, path, query: Vec::new(), body: None }
    }

    /// A path below the server's own address.
    pub(crate) fn get_from_root(action: &'static str, path: &'a str) -> Self {
        let path = path.split('/').collect();
        Self { action, method: Method::GET, path, query: Vec::new(), body: None }
    }

    /// One more segment of the path, with any content.
    #[must_use]
    pub(crate) fn segment(mut self, segment: &'a str) -> Self {
        self.path.push(segment);
        self
    }

    #[must_use]
    pub(crate) fn query(mut self, name: &'a str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    #[must_use]
    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        // All our keys are text; other keys are the only thing that cannot be written.
        self.body = Some(serde_json::to_vec(body).expect("a request can be written as JSON"));
        self
    }
}

impl Transport {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let build = |policy| {
            client(settings)?
                .redirect(policy)
                .build()
                .map_err(|error| Error::Tls { reason: root_cause(&error) })
        };
        Ok(Self {
            api: build(Policy::none())?,
            downloads: build(Policy::limited(5))?,
            server: settings.server.clone(),
            credentials: settings.credentials.clone(),
            retries: settings.retries,
            timeout: settings.timeout,
        })
    }

    pub(crate) fn retries(&self) -> RetryPolicy {
        self.retries
    }

    /// Sends a request that may be repeated, and reads the answer.
    pub(crate) fn send<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T> {
        self.retries.run(|_| self.send_once(call))
    }

    /// Sends a request that must not be repeated blindly, because each one creates something new.
    pub(crate) fn send_once<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T> {
        let mut url = self.server.join(call.path.iter().copied());
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.api.request(call.method.clone(), url.clone());
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        self.json(call.action, &url, request)
    }

    /// Reads JSON from any address.
    pub(crate) fn get_json<T: DeserializeOwned>(
        &self,
        action: &'static str,
        url: &Url,
    ) -> Result<T> {
        self.retries.run(|_| self.json(action, url, self.api.get(url.clone())))
    }

    fn json<T: DeserializeOwned>(
        &self,
        action: &'static str,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<T> {
        let response = self.exchange(action, url, request)?;
        let bytes = self.read_up_to(LONGEST_ANSWER_BYTES, action, url, response)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let failure = Failure::Unreadable { reason: error.to_string() };
            Error::request(action, shown(url), failure)
        })
    }

    /// Reads a short text below the server's own address.
    pub(crate) fn text(&self, action: &'static str, path: &str) -> Result<String> {
        let url = self.server.join(path.split('/'));
        let response = self.exchange(action, &url, self.api.get(url.clone()))?;
        let bytes = self.read_up_to(LONGEST_TEXT_BYTES, action, &url, response)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Sends a file as the body of a PUT to an artifact.
    pub(crate) fn put_file(&self, action: &'static str, url: &Url, file: &Path) -> Result<()> {
        self.retries.run(|_| {
            let request =
                self.api.put(url.clone()).header(CONTENT_TYPE, "application/octet-stream");
            self.exchange(action, url, self.with_file(request, file)?).map(drop)
        })
    }

    /// Sends a file to a signed address elsewhere, without our login.
    pub(crate) fn put_file_signed(
        &self,
        action: &'static str,
        url: &Url,
        headers: &[(String, String)],
        file: &Path,
    ) -> Result<()> {
        self.retries.run(|_| {
            let request =
                headers.iter().fold(self.api.put(url.clone()), |request, (name, value)| {
                    request.header(name, value)
                });
            let request = self.with_file(request, file)?;
            let sent = request.send().map_err(|error| self.lost(action, url, &error))?;
            self.accept(action, url, sent).map(drop)
        })
    }

    fn with_file(&self, request: RequestBuilder, path: &Path) -> Result<RequestBuilder> {
        let file = File::open(path).with_path("open", path)?;
        let length = file.metadata().with_path("look at", path)?.len();
        let patience = Duration::from_secs(length / SLOWEST_UPLOAD_BYTES_PER_SECOND);
        Ok(request.body(Body::sized(file, length)).timeout(self.timeout + patience))
    }

    /// Downloads a file: under a temporary name beside `to`, renamed when it is complete. Returns
    /// its length in bytes.
    pub(crate) fn get_file(&self, action: &'static str, url: &Url, to: &Path) -> Result<u64> {
        self.retries.run(|_| {
            let mut response = self.exchange(action, url, self.downloads.get(url.clone()))?;
            artifact::write_through(to, |file| self.copy(action, url, &mut response, file, to))
        })
    }

    /// Copies a body; distinguishes failures of the server from those of our disk.
    fn copy(
        &self,
        action: &'static str,
        url: &Url,
        response: &mut Response,
        file: &mut impl Write,
        to: &Path,
    ) -> Result<u64> {
        let mut buffer = vec![0; 256 * 1024];
        let mut length = 0;
        loop {
            match response.read(&mut buffer) {
                Ok(0) => return Ok(length),
                Ok(count) => {
                    file.write_all(&buffer[..count]).with_path("write", to)?;
                    length += count as u64;
                    if length > LARGEST_FILE_BYTES {
                        return Err(too_long(LARGEST_FILE_BYTES, action, url));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let failure = Failure::Broken { reason: error.to_string() };
                    return Err(Error::request(action, shown(url), failure));
                }
            }
        }
    }

    /// Sends with our login, and turns anything but a success into an error.
    fn exchange(
        &self,
        action: &'static str,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<Response> {
        let request = match self.credentials.header().map(HeaderValue::try_from) {
            Some(Ok(mut value)) => {
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
            // A token with a line break in it: the server will report the missing login.
            Some(Err(_)) | None => request,
        };
        let response = request.send().map_err(|error| self.lost(action, url, &error))?;
        self.accept(action, url, response)
    }

    fn accept(&self, action: &'static str, url: &Url, response: Response) -> Result<Response> {
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        // An error body that breaks off is still an error.
        let _ = response.take(LONGEST_REFUSAL_BYTES).read_to_end(&mut body);
        let refusal = Refusal { status, headers: &headers, body: &body };
        let failure = refusal.explain(&self.server, &self.credentials);
        Err(Error::request(action, shown(url), failure))
    }

    /// Reads an answer up to a limit, since it may not come from the expected server.
    fn read_up_to(
        &self,
        most: u64,
        action: &'static str,
        url: &Url,
        response: Response,
    ) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        response.take(most + 1).read_to_end(&mut bytes).map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
            match inner {
                Some(inner) => self.lost(action, url, inner),
                None => {
                    let failure = Failure::Broken { reason: error.to_string() };
                    Error::request(action, shown(url), failure)
                }
            }
        })?;
        if bytes.len() as u64 > most {
            return Err(too_long(most, action, url));
        }
        Ok(bytes)
    }

    /// A request without an answer, or with an incomplete one.
    fn lost(&self, action: &'static str, url: &Url, error: &reqwest::Error) -> Error {
        let reason = self.credentials.hide_in(&root_cause(error));
        let failure = if error.is_connect() {
            Failure::Unreachable { advice: advice(&reason), reason }
        } else if error.is_timeout() {
            Failure::TimedOut { after: self.timeout }
        } else {
            Failure::Broken { reason }
        };
        Error::request(action, shown(url), failure)
    }
}

fn client(settings: &Settings) -> Result<ClientBuilder> {
    // reqwest is built without ciphers of its own. A second call finds them installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("hounsfield/", env!("CARGO_PKG_VERSION")))
        .timeout(settings.timeout);
    let builder = match &settings.tls {
        Tls::Verified => builder,
        Tls::Unverified => builder.tls_danger_accept_invalid_certs(true),
        Tls::Only(path) => {
            let pem = read_pem("MLFLOW_TRACKING_SERVER_CERT_PATH", path)?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| unusable("MLFLOW_TRACKING_SERVER_CERT_PATH", path, &error))?;
            if certificates.is_empty() {
                let empty = "it holds no certificate";
                return Err(unusable("MLFLOW_TRACKING_SERVER_CERT_PATH", path, &empty));
            }
            builder.tls_certs_only(certificates)
        }
    };
    let Some(path) = &settings.client_certificate else { return Ok(builder) };
    let pem = read_pem("MLFLOW_TRACKING_CLIENT_CERT_PATH", path)?;
    let identity = Identity::from_pem(&pem)
        .map_err(|error| unusable("MLFLOW_TRACKING_CLIENT_CERT_PATH", path, &error))?;
    Ok(builder.identity(identity))
}

fn read_pem(variable: &str, path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| unusable(variable, path, &error))
}

fn unusable(variable: &str, path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Tls { reason: format!("read {} ({variable}): {reason}", path.display()) }
}

fn advice(reason: &str) -> &'static str {
    let reason = reason.to_ascii_lowercase();
    if reason.contains("certificate") {
        "check MLFLOW_TRACKING_SERVER_CERT_PATH and the name in MLFLOW_TRACKING_URI"
    } else if reason.contains("lookup") || reason.contains("resolve") {
        "no such host; check MLFLOW_TRACKING_URI"
    } else if reason.contains("refused") {
        "no server is running there (make mlflow starts one); check MLFLOW_TRACKING_URI"
    } else if reason.contains("corrupt message") {
        "it does not speak https:; check MLFLOW_TRACKING_URI"
    } else {
        "check the network, and MLFLOW_TRACKING_URI"
    }
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

fn too_long(most: u64, action: &'static str, url: &Url) -> Error {
    let reason = format!("the answer is longer than {most} bytes, which nothing of MLflow's is");
    Error::request(action, shown(url), Failure::Unreadable { reason })
}
