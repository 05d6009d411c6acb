//! Work that is done to its end, whether or not its client still waits.
//!
//! A handler is dropped where it stands when its client hangs up. What changes anything must not be:
//! it would be half done, and nobody would know.

use crate::error::{Code, Failure};
use crate::guard::request_id;

/// Does the work in a task of its own, which has the request's id too. Locks and places that the
/// work takes are the task's, and are given back when it ends.
///
/// # Errors
/// Those of the work, or that it panicked.
pub(crate) async fn own_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::spawn(request_id::of_this(work)).await;
    done.unwrap_or_else(|error| {
        tracing::error!("a request panicked: {error}");
        let message =
            "something went wrong here; the server's log says what, under this request_id";
        Err(Failure::new(Code::Internal, message))
    })
}
