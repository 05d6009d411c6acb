//! How far the server is in its life.

use tokio::sync::watch;

/// Whether requests should come here.
#[derive(Debug)]
pub(crate) struct Lifecycle(watch::Sender<Phase>);

/// How far the server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It answers.
    Ready,
    /// It ends what is in flight.
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

    /// Until the server is asked to stop.
    pub(crate) async fn stopped(&self) {
        // The sender is this value's own, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|phase| *phase == Phase::Stopping).await;
    }
}
