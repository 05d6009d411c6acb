use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::retry::RetryPolicy;
use crate::transport::{Call, Transport};
use crate::{Result, ServerAddress, Settings};

/// An answer whose content does not matter.
pub(crate) type Done = IgnoredAny;

/// A client of one MLflow server. Cloning is cheap: clones share their connections.
///
/// Every request is retried, according to [`Settings::retries`](crate::Settings), after a failure
/// that may pass. Requests that create something new each time (a run, a logged model, a model
/// version) carry a mark, and the client searches for it before sending them again. One gap
/// remains: a server that finishes the first request after it was asked for the mark.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
}

/// A server's information about itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServerInfo {
    /// The kind of its store: `SqlStore`.
    #[serde(default)]
    pub store_type: Option<String>,
    /// Whether it accepts uploads in parts.
    #[serde(default)]
    pub multipart_uploads_enabled: bool,
}

impl Client {
    /// Sets up a client; no request is made yet.
    ///
    /// # Errors
    /// When a certificate file cannot be read or TLS cannot be set up.
    pub fn new(settings: &Settings) -> Result<Self> {
        Ok(Self { transport: Arc::new(Transport::new(settings)?) })
    }

    /// A client that makes only one attempt for each request.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn without_retries(settings: &Settings) -> Result<Self> {
        Self::new(&Settings { retries: RetryPolicy::NEVER, ..settings.clone() })
    }

    /// The server.
    pub fn server(&self) -> &ServerAddress {
        &self.transport.server
    }

    /// Checks the server's health: one request, which needs no login.
    ///
    /// # Errors
    /// When it cannot be reached or is not healthy.
    pub fn health(&self) -> Result<()> {
        self.transport.text("ask for the health of the server", "health").map(drop)
    }

    /// Requests the server's information. Servers before MLflow 3 do not answer this.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn server_info(&self) -> Result<ServerInfo> {
        let call = Call::get_from_root("ask the server about itself", "api/3.0/mlflow/server-info");
        self.transport.send(&call)
    }

    /// Creates something that must exist only once: before a second attempt it is searched for.
    pub(crate) fn make_once<T>(
        &self,
        make: impl Fn() -> Result<T>,
        find: impl Fn() -> Result<Option<T>>,
    ) -> Result<T> {
        self.transport.retries().run(|failed| {
            if failed > 0
                && let Some(made) = find()?
            {
                return Ok(made);
            }
            make()
        })
    }
}
