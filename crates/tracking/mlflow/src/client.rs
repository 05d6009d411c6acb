use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::retry::RetryPolicy;
use crate::transport::{Call, Transport};
use crate::{Result, ServerAddress, Settings};

/// An answer in which nothing is of interest but that it came.
pub(crate) type Done = IgnoredAny;

/// Speaks to one MLflow server. To clone it is cheap: clones share their connections.
///
/// Every request is tried again, as [`Settings::retries`](crate::Settings) says, after a failure
/// that may pass. What makes something new each time it is sent (a run, a logged model, a model
/// version) carries a mark, and is looked for by it before it is sent again. That leaves one gap:
/// a server that finishes the first request after it was asked whether it had.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
}

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServerInfo {
    /// The kind of its store: `SqlStore`.
    #[serde(default)]
    pub store_type: Option<String>,
    /// Whether it takes uploads in parts.
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

    /// A client that makes one attempt of each request and no more.
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

    /// Asks the server whether it is well: one request, which needs no login.
    ///
    /// # Errors
    /// When it cannot be reached or is not well.
    pub fn health(&self) -> Result<()> {
        self.transport.text("ask for the health of the server", "health").map(drop)
    }

    /// Asks the server about itself. Servers before MLflow 3 do not answer that.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn server_info(&self) -> Result<ServerInfo> {
        let call = Call::get_from_root("ask the server about itself", "api/3.0/mlflow/server-info");
        self.transport.send(&call)
    }

    /// Makes something that must be made once: before a second attempt it is looked for.
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
