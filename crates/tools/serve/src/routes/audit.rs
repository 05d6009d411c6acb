//! The requests to administrators' routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use prediction_store::{AuditFilter, AuditRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ErrorAnswer, Failure};
use crate::records::Records;
use crate::routes::query::{bad, limit_and_cursor};

/// Which part of the list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Rows, 1 to 1000; 50 where it is not said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// One page of the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditAnswer {
    rows: Vec<Asked>,
    /// For the page after; null at the end.
    next: Option<String>,
}

/// What somebody asked.
#[derive(Debug, Serialize, ToSchema)]
struct Asked {
    id: String,
    created_at: String,
    /// The key's name.
    key: Option<String>,
    role: String,
    /// Method and path.
    action: String,
    /// The answer's status; `begun` while it is being done, or when the server was killed meanwhile.
    outcome: String,
    /// As in the server's log.
    request_id: String,
}

impl From<AuditRow> for Asked {
    fn from(AuditRow { id, entry }: AuditRow) -> Self {
        Self {
            id: id.to_string(),
            created_at: entry.created_at.to_string(),
            key: entry.key_name,
            role: entry.role,
            action: entry.action,
            outcome: entry.outcome,
            request_id: entry.request_id,
        }
    }
}

/// What was asked of administrators' routes, the newest first
///
/// Whether it was allowed or not, and by whom. Keys that are not known here are in the log alone.
#[utoipa::path(get, path = "/v1/audit", tag = "operate", params(AuditQuery),
    responses((status = 200, body = AuditAnswer), (status = "4XX", body = ErrorAnswer),
        (status = 503, body = ErrorAnswer)),
    security((), ("key" = [])))]
pub(crate) async fn audit(
    State(records): State<Arc<Records>>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditAnswer>, Failure> {
    let Query(query) = query.map_err(|error| bad("query", error.body_text()))?;
    let (limit, cursor) = limit_and_cursor(query.limit, query.cursor)?;
    let filter = AuditFilter { limit, cursor, ..AuditFilter::default() };
    let page = records.store.audit_rows(&filter).await?;
    Ok(Json(AuditAnswer {
        rows: page.rows.into_iter().map(Asked::from).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}
