//! Work that runs to its end, whether or not its client still waits.
//!
//! A handler is dropped in the middle when its client hangs up. This must not happen to a handler
//! that changes anything: the change would be half done without any report.

use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::error::{Code, Failure};
use crate::guard::request_id;

/// The tasks of such work. A stopping server waits for them: their clients are gone, so that no
/// connection is left to wait for.
#[derive(Debug, Default)]
pub(crate) struct OwnTasks(TaskTracker);

impl OwnTasks {
    /// Does the work in its own task, which has the request's id too. The task owns the locks and
    /// places that the work takes, and returns them when it ends.
    ///
    /// # Errors
    /// The errors of the work, or a panic in it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let done = self.0.spawn(request_id::of_this(work)).await;
        done.unwrap_or_else(|error| {
            tracing::error!("a request panicked: {error}");
            let message =
                "something went wrong here; the server's log says what, under this request_id";
            Err(Failure::new(Code::Internal, message))
        })
    }

    /// Waits until every task has ended. No request may arrive any more.
    pub(crate) async fn end_by(&self, deadline: Instant) {
        self.0.close();
        if timeout_at(deadline, self.0.wait()).await.is_err() {
            tracing::warn!("{} changes had not ended in time", self.0.len());
        }
    }
}
