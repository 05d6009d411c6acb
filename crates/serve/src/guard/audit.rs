//! A row for whatever is asked of an administrator's routes, whether it was allowed or not.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use prediction_store::AuditEntry;

use crate::error::Failure;
use crate::guard::keys::{Caller, name_of};
use crate::guard::request_id;
use crate::server::Server;

/// Answers, then writes the row. Where it cannot be written the answer says so: what was done was
/// done, but nobody could prove who did it.
///
/// Whoever has no key that is known here, or comes too often, gets no row, or they could fill the
/// disk; they are in the log.
pub(crate) async fn layer(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let Some(caller) = response.extensions().get::<Caller>().cloned() else { return response };
    let entry = AuditEntry {
        created_at: Timestamp::now(),
        key_name: Some(caller.name),
        role: name_of(caller.role).to_owned(),
        action: format!("{method} {path}"),
        detail: String::new(),
        outcome: response.status().as_u16().to_string(),
        request_id: request_id::current().unwrap_or_default(),
    };
    match server.records.store.record_audit(&entry).await {
        Ok(_) => response,
        Err(error) => Failure::from(error).into_response(),
    }
}
