//! The caller, for pages that show only the allowed actions.

use axum::Json;
use axum::extract::Extension;
use serde::Serialize;
use utoipa::ToSchema;

use crate::guard::keys::{Caller, name_of};

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionAnswer {
    /// The key's name; `local` where there are no keys.
    name: String,
    /// `predict`, `review` or `admin`
    role: &'static str,
}

/// Who asks, and what they may do
#[utoipa::path(get, path = "/v1/session", tag = "predict",
    responses((status = 200, body = SessionAnswer)), security((), ("key" = [])))]
pub(crate) async fn session(Extension(caller): Extension<Caller>) -> Json<SessionAnswer> {
    Json(SessionAnswer { name: caller.name, role: name_of(caller.role) })
}
