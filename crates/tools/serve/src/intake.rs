//! Admits a request with images: a place in the queue, its body, its pictures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use services::ServeConfig;
use tokio::time::{timeout, timeout_at};

use crate::admission::{Admission, Applicant};
use crate::decoding::Decoding;
use crate::error::{Code, Failure};
use crate::guard::keys::{Caller, Keys};
use crate::meters::operation::Level;
use crate::upload::UploadLimits;

/// The rest of a rejected body is read for this long, and up to this many bytes.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 4 << 20;

/// The parts that handle a request before the model.
#[derive(Debug)]
pub(crate) struct Intake {
    admission: Admission,
    /// Limits the images processed at a time.
    decoding: Decoding,
    /// Whether there are other callers to leave places for.
    keys: Arc<Keys>,
    /// Limits on a request.
    pub(crate) limits: UploadLimits,
    /// The most pixels a picture may have.
    pub(crate) max_pixels: u64,
    /// How long a request for predictions may take.
    deadline: Duration,
}

impl Intake {
    /// As configured, with a place for work on images for each core.
    pub(crate) fn new(settings: &ServeConfig, keys: Arc<Keys>, cores: usize, queue: Level) -> Self {
        let limits = &settings.limits;
        Self {
            admission: Admission::new(settings.queue_requests, limits.body_bytes(), queue),
            decoding: Decoding::new(cores),
            keys,
            limits: UploadLimits { body_bytes: limits.body_bytes(), images: limits.images },
            max_pixels: limits.pixels(),
            deadline: Duration::from_secs_f64(settings.deadline_seconds),
        }
    }

    /// Reads and answers a request that takes memory or the model's time: with a place in the
    /// queue, and until the deadline, which is passed to `answer`.
    ///
    /// # Errors
    /// When there is no place, the deadline passes, or `answer` fails.
    pub(crate) async fn admitted<T, F>(
        &self,
        request: Request,
        answer: impl FnOnce(Request, Instant) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let deadline = Instant::now() + self.deadline;
        let name = request.extensions().get::<Caller>().map_or("", |caller| &caller.counted_as);
        let applicant = Applicant { name, among_others: self.keys.are_several() };
        let _place = match self.admission.enter(applicant, content_length(request.headers())) {
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

    /// Decodes or encodes a picture on another thread than the model's.
    ///
    /// # Errors
    /// When the work panicked.
    pub(crate) async fn beside_the_model<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.decoding.run(&caller.counted_as, work).await
    }
}

/// Reads for a moment and drops the bytes. If the connection were closed while a body is still
/// arriving, its client could lose the answer (RFC 9112, section 9.6).
async fn pass_over(request: Request) {
    // Such a client sends its body only when asked, and reading would ask for it.
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
    // A slower client gets the answer now, and may lose it.
    let _ = timeout(LINGER, rest).await;
}

/// The length of the body according to the head of a request.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
