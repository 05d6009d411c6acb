//! The socket: plain or TLS, patient with slow clients only so far, and stopped gently.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use config::{ServeConfig, TlsConfig};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use stage::UsageError;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::server::Server;

/// Binds, so that a port in use is told before anything else is done, and the port of `:0` is known.
///
/// # Errors
/// When the address is taken or not this machine's, or would let strangers in.
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
pub(crate) async fn tls(files: &TlsConfig) -> Result<RustlsConfig> {
    // Of several providers that are compiled in, rustls takes none by itself.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    RustlsConfig::from_pem_file(&files.certificate, &files.key).await.with_context(|| {
        format!(
            "use the certificate {} with the key {} (serve.tls)",
            files.certificate.display(),
            files.key.display()
        )
    })
}

/// The signals that ask the process to stop: SIGTERM and Ctrl-C. From when this exists, neither ends
/// the process by itself.
#[derive(Debug)]
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// # Errors
    /// When the system lets no signal be listened for.
    pub(crate) fn listen() -> Result<Self> {
        let of = |kind| signal(kind).context("listen for signals");
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Answers until the process is asked to stop, then ends what is in flight.
///
/// # Errors
/// When the socket fails.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    router: Router,
    server: Arc<Server>,
    signals: StopSignals,
) -> Result<()> {
    let handle = Handle::new();
    tokio::spawn(stop_when_asked(signals, handle.clone(), Arc::clone(&server)));
    let idle = Duration::from_secs_f64(server.config.idle_seconds);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        Some(tls) => {
            let mut socket = axum_server::from_tcp_rustls(listener, tls).context("listen")?;
            cut_off_idle_ones(socket.http_builder(), idle);
            socket.handle(handle).serve(service).await
        }
        None => {
            let mut socket = axum_server::from_tcp(listener).context("listen")?;
            cut_off_idle_ones(socket.http_builder(), idle);
            socket.handle(handle).serve(service).await
        }
    }
    .context("answer requests")
}

/// Closes connections on which no whole head of a request came for so long, kept-alive ones too.
fn cut_off_idle_ones(builder: &mut Builder<TokioExecutor>, idle: Duration) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(idle);
}

/// Then no more requests are taken; those in flight get `serve.shutdown_seconds`.
async fn stop_when_asked(
    mut signals: StopSignals,
    handle: Handle<SocketAddr>,
    server: Arc<Server>,
) {
    signals.any().await;
    server.phase.stop();
    let grace = Duration::from_secs_f64(server.config.shutdown_seconds);
    tracing::info!("stopping: requests in flight have {} s to end", grace.as_secs_f64());
    handle.graceful_shutdown(Some(grace));
}

/// Lets the process have as many files open as the system allows: each connection is one.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("the limit on open files stays as it is: {error}");
    }
}
