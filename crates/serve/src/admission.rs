//! Who is let in: so many requests, and so many bytes of their bodies, at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};

use crate::error::{Code, Failure};
use crate::server::Server;

/// Bodies may take as much memory as this many of the largest allowed.
const LARGEST_BODIES: usize = 8;

/// Bodies are counted in units of this many bytes, since permits are 32-bit numbers.
const UNIT_BYTES: usize = 1024;

/// How long a client that is turned away should wait.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// The rest of a body that is turned away is awaited for so long, and up to so many bytes.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 4 << 20;

/// Counts requests from before their body is read until they are answered.
#[derive(Debug)]
pub(crate) struct Admission {
    requests: Arc<Semaphore>,
    body_units: Arc<Semaphore>,
    max_body_bytes: usize,
}

/// A place in the queue; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _request: OwnedSemaphorePermit,
    _body: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(queue_requests: usize, max_body_bytes: usize) -> Self {
        let units = LARGEST_BODIES * units(max_body_bytes) as usize;
        Self {
            requests: Arc::new(Semaphore::new(queue_requests)),
            body_units: Arc::new(Semaphore::new(units)),
            max_body_bytes,
        }
    }

    /// Takes a place for a request whose body is announced to have so many bytes, or may have as
    /// many as are allowed.
    ///
    /// # Errors
    /// At once, when the queue is full or the body too large.
    pub(crate) fn enter(&self, content_length: Option<u64>) -> Result<Place, Failure> {
        let largest = self.max_body_bytes;
        let bytes = content_length.map_or(largest, |it| usize::try_from(it).unwrap_or(usize::MAX));
        if bytes > largest {
            return Err(too_large(largest));
        }
        let full = |what: &str| {
            let message = format!("the server has {what} as it takes at a time; try again");
            Failure::new(Code::Overloaded, message).retry_after(COME_AGAIN)
        };
        let request = Arc::clone(&self.requests).try_acquire_owned();
        let request = request.map_err(|_| full("as many requests"))?;
        let body = Arc::clone(&self.body_units).try_acquire_many_owned(units(bytes));
        let body = body.map_err(|_| full("as many megabytes of images"))?;
        Ok(Place { _request: request, _body: body })
    }
}

/// Reads and answers a request that takes memory or the model's time: with a place in the queue,
/// and until the deadline, which `answer` is told.
///
/// # Errors
/// When there is no place, the deadline passes, or `answer` fails.
pub(crate) async fn admitted<T, F>(
    server: &Server,
    request: Request,
    answer: impl FnOnce(Request, Instant) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let deadline = Instant::now() + server.deadline();
    let _place = match server.admission.enter(content_length(request.headers())) {
        Ok(place) => place,
        Err(refused) => {
            pass_over(request).await;
            return Err(refused);
        }
    };
    let answered = timeout_at(deadline.into(), answer(request, deadline)).await;
    answered.unwrap_or_else(|_| {
        let message = "the request took longer than it may (serve.deadline_seconds)";
        Err(Failure::new(Code::DeadlineExceeded, message))
    })
}

/// Reads on for a moment and keeps nothing. Were the connection closed on a body that is still
/// coming, its client could lose the answer (RFC 9112, section 9.6).
async fn pass_over(request: Request) {
    // Such a client sends its body only when it is asked to, which reading would do.
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    let mut body = request.into_body().into_data_stream();
    let mut left_bytes = LINGER_BYTES;
    let rest = async {
        while let Some(Ok(piece)) = body.next().await
            && left_bytes > 0
        {
            left_bytes = left_bytes.saturating_sub(piece.len());
        }
    };
    // Whoever is slower gets the answer now, and may lose it.
    let _ = timeout(LINGER, rest).await;
}

/// What the head of a request says of its body.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body is larger than `limit` bytes.
pub(crate) fn too_large(limit: usize) -> Failure {
    let megabytes = limit as f64 / 1e6;
    Failure::new(
        Code::TooLarge,
        format!("the request is larger than {megabytes} megabytes (serve.limits.body_megabytes)"),
    )
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_after_the_last_place_is_turned_away_and_a_place_is_given_back() {
        let admission = Admission::new(2, 1_000_000);
        let places = [admission.enter(Some(10)).unwrap(), admission.enter(Some(10)).unwrap()];
        assert_eq!(admission.enter(Some(10)).unwrap_err().code(), Code::Overloaded);
        drop(places);
        let _again = [admission.enter(Some(10)).unwrap(), admission.enter(Some(10)).unwrap()];
    }

    #[test]
    fn bodies_of_unknown_length_count_as_the_largest() {
        let admission = Admission::new(100, 1_000_000);
        let places: Vec<_> = (0..LARGEST_BODIES).map(|_| admission.enter(None).unwrap()).collect();
        assert_eq!(admission.enter(Some(10)).unwrap_err().code(), Code::Overloaded);
        drop(places);
        admission.enter(Some(10)).unwrap();
    }

    #[test]
    fn a_body_that_announces_too_much_is_refused_before_it_is_read() {
        let admission = Admission::new(1, 1000);
        assert_eq!(admission.enter(Some(1001)).unwrap_err().code(), Code::TooLarge);
        admission.enter(Some(1000)).unwrap();
    }
}
