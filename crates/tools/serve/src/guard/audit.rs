//! Writes a row for every request to an administrator's route, whether it was allowed or not.
//!
//! The row of a change is written before the change, as `begun`, and gets its outcome afterwards:
//! there is no change without its row, even when the client hangs up or the server is killed.
//!
//! A caller without a known key, or with too many requests, gets no row, because such callers could
//! fill the disk; they are in the log.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use prediction_store::{AuditEntry, AuditId, StoreError};

use crate::error::Failure;
use crate::guard::keys::{Caller, name_of};
use crate::guard::request_id;
use crate::own_task::OwnTasks;
use crate::records::Records;

/// The outcome of a row that is not closed yet.
const BEGUN: &str = "begun";

/// Handles the request in its own task, with a row before it and after it. If the row cannot be
/// written nothing is done; if it cannot be closed the answer reports this.
pub(crate) async fn accompany(
    records: Arc<Records>,
    own_tasks: &OwnTasks,
    (caller, allowed): (Caller, Result<(), Failure>),
    request: Request,
    next: Next,
) -> Response {
    let done = own_tasks.run(async move {
        let changes = !request.method().is_safe() && allowed.is_ok();
        let mut row = Row::new(caller, &request);
        if changes {
            row.begin(&records).await?;
        }
        let response = match allowed {
            Ok(()) => next.run(request).await,
            Err(failure) => failure.into_response(),
        };
        row.end(&records, response.status().as_u16()).await?;
        Ok(response)
    });
    done.await.unwrap_or_else(IntoResponse::into_response)
}

/// A row that is being written.
struct Row {
    entry: AuditEntry,
    id: Option<AuditId>,
}

impl Row {
    fn new(caller: Caller, request: &Request) -> Self {
        let method = crate::meters::known_method(request.method());
        let entry = AuditEntry {
            created_at: Timestamp::now(),
            key_name: Some(caller.name),
            role: name_of(caller.role).to_owned(),
            action: format!("{method} {}", request.uri().path()),
            detail: String::new(),
            outcome: BEGUN.to_owned(),
            request_id: request_id::current().unwrap_or_default(),
        };
        Self { entry, id: None }
    }

    async fn begin(&mut self, records: &Records) -> Result<(), StoreError> {
        self.id = Some(records.store.record_audit(&self.entry).await?);
        Ok(())
    }

    async fn end(mut self, records: &Records, status: u16) -> Result<(), StoreError> {
        let outcome = status.to_string();
        let store = &records.store;
        match self.id {
            Some(id) => store.close_audit(id, &outcome).await,
            None => {
                self.entry.outcome = outcome;
                store.record_audit(&self.entry).await.map(|_| ())
            }
        }
    }
}
