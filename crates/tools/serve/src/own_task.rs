//! Work that is done to its end, whether or not its client still waits.
//!
//! A handler is dropped where it stands when its client hangs up. What changes anything must not be:
//! it would be half done, and nobody would know.

use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::error::{Code, Failure};
use crate::guard::request_id;

/// The tasks of such work. A server that stops waits for them: with their clients gone, no
/// connection is left that would hold it up.
#[derive(Debug, Default)]
pub(crate) struct OwnTasks(TaskTracker);

impl OwnTasks {
    /// Does the work in a task of its own, which has the request's id too. Locks and places that
    /// the work takes are the task's, and are given back when it ends.
    ///
    /// # Errors
    /// Those of the work, or that it panicked.
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

    /// Waits until every task has ended. No request may come any more.
    pub(crate) async fn end_by(&self, deadline: Instant) {
        self.0.close();
        if timeout_at(deadline, self.0.wait()).await.is_err() {
            tracing::warn!("{} changes had not ended in time", self.0.len());
        }
    }
}
