//! Starts and reports trainings.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as SentEvent, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, future, stream};
use jiff::Timestamp;
use prediction_store::{NewTraining, TrainingId, TrainingOutcome};
use serde::{Deserialize, Serialize};
use tokio_stream::wrappers::BroadcastStream;
use utoipa::ToSchema;

use crate::error::{Code, ErrorAnswer, Failure};
use crate::guard::keys::Caller;
use crate::lifecycle::Lifecycle;
use crate::training::progress::{Event, Progress};
use crate::training::retraining::Retraining;
use crate::training::{Training, start};

/// The longest reason of a training of another machine, in characters.
const LONGEST_REASON: usize = 2000;

/// How often a connection without news sends a sign of life.
const STILL_HERE: Duration = Duration::from_secs(15);

/// A training that began.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Started {
    id: String,
    /// `running`, or `handed_over` to another machine
    state: &'static str,
}

/// A training that ran on another machine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainedElsewhere {
    /// When it began, RFC 3339: it learnt from the corrections before.
    #[schema(format = DateTime)]
    started_at: String,
    outcome: ElsewhereOutcome,
    /// Why it ended so, at most 2000 characters.
    #[schema(max_length = 2000)]
    reason: String,
    /// SHA-256 of the weights that it made; required unless it failed.
    model_after: Option<String>,
}

/// How a training on another machine ended.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ElsewhereOutcome {
    /// Its model is the champion.
    Promoted,
    /// It made a model, which is not the champion.
    Kept,
    /// It made no model.
    Failed,
}

/// A training that was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recorded {
    id: String,
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
    let (id, state) = match start::start(&retraining, &caller).await? {
        start::Started::Here(id) => (id, "running"),
        start::Started::Elsewhere(id) => (id, "handed_over"),
    };
    Ok((StatusCode::ACCEPTED, Json(Started { id: id.to_string(), state })))
}

/// Record a training of another machine
///
/// For schedulers that train by themselves: corrections before its start no longer count as waiting.
#[utoipa::path(post, path = "/v1/trainings", tag = "training", request_body = TrainedElsewhere,
    responses((status = 201, body = Recorded), (status = "4XX", body = ErrorAnswer),
        (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn record(
    State(retraining): State<Retraining>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<TrainedElsewhere>, JsonRejection>,
) -> Result<(StatusCode, Json<Recorded>), Failure> {
    let bad = |message: String| Failure::new(Code::BadRequest, message);
    let Json(trained) = body.map_err(|error| bad(error.body_text()))?;
    let now = Timestamp::now();
    let started_at: Timestamp = trained
        .started_at
        .parse()
        .map_err(|error| bad(format!("started_at is not a time as RFC 3339 writes it: {error}")))?;
    if started_at > now {
        return Err(bad("started_at is in the future".to_owned()));
    }
    if trained.reason.chars().count() > LONGEST_REASON {
        return Err(bad(format!("the reason is longer than {LONGEST_REASON} characters")));
    }
    let new = NewTraining {
        started_at,
        key_name: Some(caller.name),
        model_before: retraining.swap.host.shelf.current().description.digests.weights,
    };
    let outcome = outcome(trained)?;
    let id = TrainingId::new(started_at);
    retraining.records.store.record_training(id, &new, now, &outcome).await?;
    Ok((StatusCode::CREATED, Json(Recorded { id: id.to_string() })))
}

fn outcome(trained: TrainedElsewhere) -> Result<TrainingOutcome, Failure> {
    let TrainedElsewhere { outcome, reason, model_after, .. } = trained;
    let digest = || {
        let digest = model_after.as_deref().and_then(|text| text.parse().ok());
        digest.ok_or_else(|| {
            let message = "model_after is not the SHA-256 of weights, 64 hexadecimal digits";
            Failure::new(Code::BadRequest, message)
        })
    };
    Ok(match outcome {
        ElsewhereOutcome::Promoted => TrainingOutcome::Promoted { model_after: digest()?, reason },
        ElsewhereOutcome::Kept => TrainingOutcome::Kept { model_after: digest()?, reason },
        ElsewhereOutcome::Failed => TrainingOutcome::Failed { reason },
    })
}

/// How far the training is
#[utoipa::path(get, path = "/train", tag = "training",
    responses((status = 200, body = Progress)), security((), ("key" = [])))]
pub(crate) async fn progress(State(training): State<Arc<Training>>) -> Json<Progress> {
    Json(training.progress())
}

/// The progress as a stream
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
