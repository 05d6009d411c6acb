//! The metrics of `/metrics`: counts and times, in the format of Prometheus.

pub(crate) mod operation;

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use std::sync::Arc;
use std::time::Instant;

use services::ServeConfig;

use crate::answer::Checks;
use crate::meters::operation::{Counted, Level, Operation};
use crate::model::engine::EngineOutput;
use crate::model::served::ServedModel;

/// Upper ends of the buckets, in seconds: from a health check to the longest deadline.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper ends of the buckets of batches, in images.
const IMAGES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// One of a few known values, whatever the client sends, because a series is kept for ever.
    method: &'static str,
    /// The route pattern of the API, so that ids do not multiply the series.
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PredictionLabels {
    class: String,
    /// `true`, `false`, or `unknown` without a calibration.
    accepted: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
}

/// The counters of a server.
#[derive(Debug)]
pub(crate) struct Meters {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_time: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Level,
    predictions: Family<PredictionLabels, Counter>,
    step_time: Family<StepLabels, Histogram, fn() -> Histogram>,
    batch: Histogram,
    model_swaps: Counter,
    /// The server's state.
    pub(crate) operation: Operation,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Meters {
    pub(crate) fn new(settings: &ServeConfig) -> Self {
        let mut registry = Registry::with_prefix("hounsfield");
        let operation = Operation::register(&mut registry, settings);
        let requests = Family::default();
        let request_time = Family::new_with_constructor(seconds as fn() -> Histogram);
        let in_flight = Level::default();
        let predictions = Family::default();
        let step_time = Family::new_with_constructor(seconds as fn() -> Histogram);
        let batch = Histogram::new(IMAGES);
        let model_swaps = Counter::default();
        registry.register("requests", "Answered requests", requests.clone());
        registry.register_with_unit(
            "request_duration",
            "From the head of a request to the head of its answer",
            Unit::Seconds,
            request_time.clone(),
        );
        registry.register("requests_in_flight", "Requests being answered", in_flight.clone());
        registry.register("predictions", "Images the model has processed", predictions.clone());
        registry.register_with_unit(
            "prediction_step",
            "Steps of a prediction: decode, wait, inference",
            Unit::Seconds,
            step_time.clone(),
        );
        registry.register("batch_images", "Images in one pass of the model", batch.clone());
        registry.register(
            "model_swaps",
            "Models that took the place of another",
            model_swaps.clone(),
        );
        Self {
            registry,
            requests,
            request_time,
            in_flight,
            predictions,
            step_time,
            batch,
            model_swaps,
            operation,
        }
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes whatever is written to it");
        text
    }

    pub(crate) fn predicted(
        &self,
        class: &str,
        seen: &EngineOutput,
        decode: Duration,
        checks: Option<Checks>,
    ) {
        let accepted = match checks {
            Some(checks) if checks.accepted => "true",
            Some(_) => "false",
            None => "unknown",
        };
        let labels = PredictionLabels { class: class.to_owned(), accepted };
        self.predictions.get_or_create(&labels).inc();
        for (step, time) in [("decode", decode), ("wait", seen.wait), ("inference", seen.inference)]
        {
            self.step_time.get_or_create(&StepLabels { step }).observe(time.as_secs_f64());
        }
        self.batch.observe(seen.batch as f64);
    }

    /// Records that this model answers from now on, in place of another.
    pub(crate) fn swapped(&self, served: &ServedModel) {
        self.model_swaps.inc();
        self.operation.serves(served);
    }
}

/// The methods that this server knows, and one name for all others.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Counts and times every request, and logs a line for it.
pub(crate) async fn layer(
    State(meters): State<Arc<Meters>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let route = path.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = known_method(request.method());
    let in_flight = Counted::enter(&meters.in_flight);
    let response = next.run(request).await;
    drop(in_flight);
    let (status, time) = (response.status().as_u16(), began.elapsed());
    let labels = RequestLabels { method, route: route.clone(), status };
    meters.requests.get_or_create(&labels).inc();
    let times = meters.request_time.get_or_create(&RouteLabels { route: route.clone() });
    times.observe(time.as_secs_f64());
    let id = crate::guard::request_id::current().unwrap_or_default();
    let milliseconds = crate::answer::milliseconds(time);
    if status >= 500 {
        tracing::warn!(request_id = id, method, route, status, milliseconds, "request");
    } else {
        tracing::info!(request_id = id, method, route, status, milliseconds, "request");
    }
    response
}
