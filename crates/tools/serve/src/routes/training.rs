//! Starts and reports trainings.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as SentEvent, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, future, stream};
use serde::Serialize;
use tokio_stream::wrappers::BroadcastStream;
use utoipa::ToSchema;

use crate::error::{ErrorAnswer, Failure};
use crate::guard::keys::Caller;
use crate::lifecycle::Lifecycle;
use crate::training::progress::{Event, Progress};
use crate::training::retraining::Retraining;
use crate::training::{Training, start};

/// How often a connection without news sends a sign of life.
const STILL_HERE: Duration = Duration::from_secs(15);

/// A training that began.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Started {
    id: String,
    /// `running`
    state: &'static str,
}

/// What is sent as it happens.
#[derive(Debug, Serialize, ToSchema)]
struct TrainingEvent {
    /// `state` or `log`
    event: &'static str,
    /// JSON: of `state` what `GET /train` says, of `log` `{"line": …}`.
    data: String,
}

/// Train again
///
/// Runs `dvc repro` in the background, one at a time. The new model answers only if it passes the
/// promotion gate against the present one.
#[utoipa::path(post, path = "/train", tag = "training",
    responses((status = 202, body = Started), (status = 409, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn start(
    State(retraining): State<Retraining>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<Started>), Failure> {
    let id = start::start(&retraining, &caller).await?;
    Ok((StatusCode::ACCEPTED, Json(Started { id: id.to_string(), state: "running" })))
}

/// How far the training is
#[utoipa::path(get, path = "/train", tag = "training",
    responses((status = 200, body = Progress)), security((), ("key" = [])))]
pub(crate) async fn progress(State(training): State<Arc<Training>>) -> Json<Progress> {
    Json(training.progress())
}

/// What happens, as it happens
///
/// Server-sent events: `state` with what `GET /train` says, at first and whenever it changes;
/// `log` with `{"line": …}`.
#[utoipa::path(get, path = "/train/events", tag = "training",
    responses((status = 200, body = TrainingEvent, content_type = "text/event-stream")),
    security((), ("key" = [])))]
pub(crate) async fn events(
    State(training): State<Arc<Training>>,
    State(lifecycle): State<Arc<Lifecycle>>,
) -> Sse<impl Stream<Item = Result<SentEvent, Infallible>>> {
    let (progress, receiver) = training.listen();
    let first = stream::once(future::ready(Event::State(Box::new(progress))));
    let stopped = Box::pin(async move { lifecycle.stopped().await });
    let later = BroadcastStream::new(receiver).map(move |event| {
        // A listener that fell behind gets the whole state again.
        event.unwrap_or_else(|_| Event::State(Box::new(training.progress())))
    });
    let events = first.chain(later).take_until(stopped).map(|event| {
        let TrainingEvent { event, data } = told(&event);
        Ok(SentEvent::default().event(event).data(data))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(STILL_HERE))
}

fn told(event: &Event) -> TrainingEvent {
    let (event, data) = match event {
        Event::Log(line) => ("log", serde_json::json!({ "line": line })),
        Event::State(progress) => ("state", serde_json::json!(progress)),
    };
    TrainingEvent { event, data: data.to_string() }
}
