//! Drift of the images away from those of the calibration.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::drift::outcome::WindowOutcome;
use crate::drift::watch::DriftWatch;
use crate::error::{ErrorAnswer, Failure};
use crate::model::host::ModelHost;

/// Drift of the images that the present model saw.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriftAnswer {
    /// SHA-256 of the model's weights.
    model: String,
    /// Whether the model has a calibration that later images can be compared with.
    has_reference: bool,
    /// Length of a window (`serve.drift.window_hours`).
    window_hours: u32,
    /// A window with fewer images is not tested (`serve.drift.least_images`).
    least_images: usize,
    /// One false alarm is expected in this many days (`serve.drift.false_alarm_days`).
    false_alarm_days: f64,
    /// Tested windows, newest first.
    windows: Vec<WindowOutcome>,
}

/// Whether later images are of another kind than those of the calibration
///
/// Every window of time with enough images is compared with the images of the calibration, once,
/// when it has ended.
#[utoipa::path(get, path = "/v1/drift", tag = "review",
    responses((status = 200, body = DriftAnswer), (status = "4XX", body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn drift(
    State(watch): State<Arc<DriftWatch>>,
    State(host): State<Arc<ModelHost>>,
) -> Result<Json<DriftAnswer>, Failure> {
    let served = host.shelf.current();
    let config = watch.config();
    Ok(Json(DriftAnswer {
        model: served.name.digest.clone(),
        has_reference: served.calibration.as_ref().is_some_and(|it| it.drift.is_some()),
        window_hours: config.window_hours,
        least_images: config.least_images,
        false_alarm_days: config.false_alarm_days,
        windows: watch.windows(),
    }))
}
