//! A panic in one request is a 500 for that request.

use std::any::Any;

use axum::response::{IntoResponse, Response};

use crate::error::{Code, Failure};

/// The answer to a request that panicked.
#[expect(clippy::needless_pass_by_value, reason = "what the layer calls it with")]
pub(crate) fn answer(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!("a request panicked: {text}");
    let message = "something went wrong here; the server's log says what, under this request_id";
    Failure::new(Code::Internal, message).into_response()
}
