//! A row for whatever is asked of an administrator's routes, whether it was allowed or not.
//!
//! The row of what changes something is there before it is done, as `begun`, and says afterwards how
//! it ended: no change without its row, even when the client hangs up or the server is killed.
//!
//! Whoever has no key that is known here, or comes too often, gets no row, or they could fill the
//! disk; they are in the log.

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

/// How a row that is not closed yet says that it ended.
const BEGUN: &str = "begun";

/// Does what was asked in a task of its own, with a row before it and after it. Where the row cannot
/// be written nothing is done; where it cannot be closed the answer says so.
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

/// A row on its way into the store.
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
