//! The socket: plain or TLS, with limits for slow clients, and a graceful stop.

pub(crate) mod connections;
mod conversation;
pub(crate) mod listening;
mod stop;

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use program::UsageError;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use services::{ServeConfig, TlsConfig};
use tokio_rustls::TlsAcceptor;

pub(crate) use crate::listen::stop::{StopSignals, grace};

use crate::listen::listening::Listening;

/// Number of files that the server needs beside its connections: the database, the model, images.
const OTHER_FILES: usize = 64;

/// At least this many connections are allowed, however low the limit on open files is.
const FEWEST_CONNECTIONS: usize = 8;

/// The pause after a failed `accept`, which happens when no more files may be open.
const AFTER_A_FAILURE: Duration = Duration::from_millis(50);

/// Binds, so that a port in use is reported before anything else is done, and the port of `:0` is
/// known.
///
/// # Errors
/// When the address is in use or not this machine's, or would admit other machines without keys.
pub(crate) fn bind(config: &ServeConfig) -> Result<TcpListener> {
    let address = config.address;
    if config.keys.is_empty() && !address.ip().is_loopback() {
        let message = format!(
            "listen on {address}: other machines reach it, and no key is configured. Make one with \
             `serve key --name … --role …`, or listen on 127.0.0.1"
        );
        return Err(UsageError(message).into());
    }
    let listener = TcpListener::bind(address)
        .with_context(|| format!("listen on {address}; name another with --address"))?;
    listener.set_nonblocking(true).with_context(|| format!("listen on {address}"))?;
    Ok(listener)
}

/// Reads certificate and key.
///
/// # Errors
/// When a file is missing, is not PEM, or the two do not belong together.
pub(crate) fn tls(files: &TlsConfig) -> Result<TlsAcceptor> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let acceptor = acceptor(files).with_context(|| {
        format!(
            "use the certificate {} with the key {} (serve.tls)",
            files.certificate.display(),
            files.key.display()
        )
    })?;
    warn_of_readers(&files.key);
    Ok(acceptor)
}

fn acceptor(files: &TlsConfig) -> Result<TlsAcceptor> {
    let chain =
        CertificateDer::pem_file_iter(&files.certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&files.key)?;
    let mut settings =
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(settings)))
}

/// Warns if others can read the key, since they could then impersonate this server.
fn warn_of_readers(key: &Path) {
    const EVERYBODY: u32 = 0o007;
    if std::fs::metadata(key).is_ok_and(|file| file.mode() & EVERYBODY != 0) {
        tracing::warn!(
            "every user of this machine may read or write the private key {} (serve.tls.key); \
             chmod 600 {0}",
            key.display()
        );
    }
}

/// Answers requests until the process is asked to stop, then finishes running ones.
///
/// # Errors
/// When the socket fails.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    listening: Listening,
) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener).context("listen")?;
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!("a connection could not be taken: {error}");
                    tokio::time::sleep(AFTER_A_FAILURE).await;
                    continue;
                }
            },
            () = listening.lifecycle.stopped() => break,
        };
        // Without a place it is closed at once.
        if let Some(entered) = listening.connections.enter() {
            let (tls, router, listening) = (tls.clone(), router.clone(), listening.clone());
            tokio::spawn(conversation::hold(stream, peer, tls, router, listening, entered));
        }
    }
    // New connections are refused now, and do not wait.
    drop(listener);
    let patience = stop::for_requests(grace(&listening.settings));
    if tokio::time::timeout(patience, listening.connections.all_ended()).await.is_err() {
        let left = listening.connections.len();
        tracing::warn!("gave up {left} connections that had not ended (serve.shutdown_seconds)");
    }
    Ok(())
}

/// The configured number of connections, or fewer if the system allows fewer files.
pub(crate) fn most_connections(config: &ServeConfig) -> usize {
    let wanted = config.limits.connections;
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let possible = files.saturating_sub(OTHER_FILES).max(FEWEST_CONNECTIONS);
    if possible < wanted {
        tracing::warn!(
            "only {possible} connections may be open at a time instead of {wanted} \
             (serve.limits.connections): the system allows {files} open files (ulimit -n)"
        );
    }
    wanted.min(possible)
}

/// Raises the limit on open files to the system's maximum: each connection is one.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("the limit on open files stays as it is: {error}");
    }
}
