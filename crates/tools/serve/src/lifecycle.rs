//! The phase of the server.

use tokio::sync::watch;

/// Whether the server accepts requests.
#[derive(Debug)]
pub(crate) struct Lifecycle(watch::Sender<Phase>);

/// The phase of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It answers requests.
    Ready,
    /// It finishes running requests.
    Stopping,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Ready))
    }
}

impl Lifecycle {
    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    pub(crate) fn stop(&self) {
        self.0.send_replace(Phase::Stopping);
    }

    /// Waits until the server is asked to stop.
    pub(crate) async fn stopped(&self) {
        // This value owns the sender, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|phase| *phase == Phase::Stopping).await;
    }
}
