//! Requests to stop.

use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use services::ServeConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::lifecycle::Lifecycle;
use crate::training::Training;

/// The signals that ask the process to stop: SIGTERM and Ctrl-C. While this exists, neither ends
/// the process by itself.
#[derive(Debug)]
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// # Errors
    /// When the system does not allow handling the signals.
    pub(crate) fn listen() -> Result<Self> {
        let of = |kind| signal(kind).context("listen for signals");
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
        })
    }

    /// After a signal no more requests are accepted, streams are ended, and a training is ended;
    /// running requests have `serve.shutdown_seconds`. Returns the deadline for them.
    pub(crate) async fn obey(
        mut self,
        grace: Duration,
        lifecycle: Arc<Lifecycle>,
        training: Arc<Training>,
    ) -> Instant {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight have {} s to end", grace.as_secs_f64());
        end_at(grace);
        let deadline = Instant::now() + for_requests(grace);
        lifecycle.stop();
        training.stop(grace / 2).await;
        deadline
    }
}

/// How long the server may take to stop.
pub(crate) fn grace(settings: &ServeConfig) -> Duration {
    Duration::from_secs_f64(settings.shutdown_seconds)
}

/// The part of it for running requests: the rest is for closing the store.
pub(super) fn for_requests(grace: Duration) -> Duration {
    grace.saturating_sub((grace / 4).min(Duration::from_secs(1)))
}

/// Ends the process after the grace period, even if work, waits or streams remain: threads cannot
/// be ended. Acknowledged data is on the disk.
fn end_at(grace: Duration) {
    let end = move || {
        thread::sleep(grace);
        tracing::warn!("gave up what had not ended (serve.shutdown_seconds)");
        process::exit(0);
    };
    if let Err(error) = thread::Builder::new().name("end".into()).spawn(end) {
        tracing::warn!("the time to stop is not watched: {error}");
    }
}
