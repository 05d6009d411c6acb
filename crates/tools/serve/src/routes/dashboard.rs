//! The figures of the last days.

use std::num::NonZeroU16;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use jiff::Timestamp;
use prediction_store::Dashboard;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{Code, ErrorAnswer, Failure};
use crate::records::Records;

/// The most days that can be requested.
const MOST_DAYS: u16 = 366;

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DashboardQuery {
    /// So many, today included; 30 where it is not said.
    #[param(minimum = 1, maximum = 366)]
    days: Option<u16>,
}

/// The figures of the last days
#[utoipa::path(get, path = "/v1/dashboard", tag = "review", params(DashboardQuery),
    responses((status = 200, body = Dashboard), (status = "4XX", body = ErrorAnswer),
        (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn dashboard(
    State(records): State<Arc<Records>>,
    query: Result<Query<DashboardQuery>, QueryRejection>,
) -> Result<Json<Dashboard>, Failure> {
    let Query(query) = query.map_err(|error| Failure::new(Code::BadRequest, error.body_text()))?;
    let wanted = query.days.unwrap_or(30);
    let days = NonZeroU16::new(wanted).filter(|days| days.get() <= MOST_DAYS).ok_or_else(|| {
        Failure::new(Code::BadRequest, format!("days is {wanted}; 1 to {MOST_DAYS} can be had"))
    })?;
    Ok(Json(records.store.dashboard(days, Timestamp::now()).await?))
}
