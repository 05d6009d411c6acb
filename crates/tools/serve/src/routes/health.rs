//! Routes for the server's operator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::lifecycle::{Lifecycle, Phase};
use crate::meters::Meters;
use crate::model::host::ModelHost;
use crate::records::Records;

/// The text format of Prometheus' client library.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, `stuck`, `stopping`, `store_unavailable`, or `without_store` where predictions do
    /// without it
    status: &'static str,
}

/// Whether the process lives: a server that does not must be restarted
///
/// It lives while the model's thread works. An outage of the database is no reason to restart.
#[utoipa::path(get, path = "/healthz", tag = "operate", responses(
    (status = 200, body = Health), (status = 503, body = Health)))]
pub(crate) async fn alive(State(host): State<Arc<ModelHost>>) -> Response {
    if host.engine.is_alive() { now("ok") } else { not_now("stuck") }
}

/// Whether requests should come here
#[utoipa::path(get, path = "/readyz", tag = "operate", responses(
    (status = 200, body = Health), (status = 503, body = Health)))]
pub(crate) async fn ready(
    State(lifecycle): State<Arc<Lifecycle>>,
    State(host): State<Arc<ModelHost>>,
    State(records): State<Arc<Records>>,
) -> Response {
    if lifecycle.phase() == Phase::Stopping {
        return not_now("stopping");
    }
    if !host.engine.is_alive() {
        return not_now("stuck");
    }
    match records.are_ready().await {
        Ok(()) => now("ok"),
        Err(_) if records.is_best_effort() => now("without_store"),
        Err(error) => {
            tracing::warn!("not ready: failed to {error}");
            not_now("store_unavailable")
        }
    }
}

fn now(status: &'static str) -> Response {
    Json(Health { status }).into_response()
}

fn not_now(status: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status })).into_response()
}

/// Counts and times for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operate", responses(
    (status = 200, body = String, content_type = OPEN_METRICS)))]
pub(crate) async fn metrics(State(meters): State<Arc<Meters>>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], meters.text()).into_response()
}
