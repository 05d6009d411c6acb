//! An id for every request: in the answer's `x-request-id`, in its error, in the log.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

/// The header's name.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A client's own id is not accepted above this length.
const LONGEST: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that this task answers.
pub(crate) fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Work of this request in another task: it has the request's id too.
pub(crate) fn of_this<F: Future>(work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(current().unwrap_or_default(), work)
}

/// Gives the request an id, or uses the client's own if it is a plain one.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let own = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let id =
        own.filter(|id| is_plain(id)).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let header = HeaderValue::from_str(&id).expect("a plain id is a header value");
    let mut response = CURRENT.scope(id, next.run(request)).await;
    response.headers_mut().insert(HEADER, header);
    response
}

fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= LONGEST
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_forge_a_log_line_is_not_taken() {
        assert!(is_plain("018f2b7e-1c.a_B"));
        assert!(!is_plain(""));
        assert!(!is_plain("a\nb"));
        assert!(!is_plain(&"a".repeat(65)));
    }
}
