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
use crate::records::Records;

/// The text format of Prometheus' client library.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, `stopping` or `store_unavailable`
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", tag = "operate", responses((status = 200, body = Health)))]
pub(crate) async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether requests should come here
#[utoipa::path(get, path = "/readyz", tag = "operate", responses(
    (status = 200, body = Health), (status = 503, body = Health)))]
pub(crate) async fn ready(
    State(lifecycle): State<Arc<Lifecycle>>,
    State(records): State<Arc<Records>>,
) -> Response {
    let not_now =
        |status| (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status })).into_response();
    if lifecycle.phase() == Phase::Stopping {
        return not_now("stopping");
    }
    match records.are_ready().await {
        Ok(()) => Json(Health { status: "ok" }).into_response(),
        Err(error) => {
            tracing::warn!("not ready: failed to {error}");
            not_now("store_unavailable")
        }
    }
}

/// Counts and times for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operate", responses(
    (status = 200, body = String, content_type = OPEN_METRICS)))]
pub(crate) async fn metrics(State(meters): State<Arc<Meters>>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], meters.text()).into_response()
}
