//! Checks the key of a request, and whether its role is sufficient.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::Extensions;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use services::Role;

use crate::error::Failure;
use crate::guard::audit;
use crate::guard::keys::{Caller, Keys};
use crate::guard::rate::RateLimit;
use crate::own_task::OwnTasks;
use crate::records::Records;

/// Who may call, and how often.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) keys: Arc<Keys>,
    pub(crate) rate: RateLimit,
    /// For routes without a key.
    pub(crate) open_rate: RateLimit,
    /// The record of requests to administrators' routes.
    pub(crate) records: Arc<Records>,
    pub(crate) own_tasks: Arc<OwnTasks>,
}

/// Accepts requests of a role, counts them, and passes the caller to the handler. Every request to
/// an administrator's route is recorded, including those that a role does not allow.
pub(crate) async fn layer(
    State((guard, role)): State<(Arc<Guard>, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match identify(&guard, &request) {
        Ok(caller) => caller,
        Err(failure) => return failure.into_response(),
    };
    request.extensions_mut().insert(caller.clone());
    let allowed = caller.may(role);
    if role == Role::Admin {
        let records = Arc::clone(&guard.records);
        return audit::accompany(records, &guard.own_tasks, (caller, allowed), request, next).await;
    }
    match allowed {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// Counts requests to routes without a key, by address.
pub(crate) async fn open_layer(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    match guard.open_rate.count(&address_of(request.extensions())) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// The sender of a request, if they may send one now.
fn identify(guard: &Guard, request: &Request) -> Result<Caller, Failure> {
    let address = address_of(request.extensions());
    let caller = match guard.keys.caller(request.headers(), &address) {
        Ok(caller) => caller,
        Err(refused) => {
            // Attempts with wrong keys are counted too.
            guard.rate.count(&address)?;
            return Err(refused);
        }
    };
    guard.rate.count(&caller.counted_as)?;
    Ok(caller)
}

fn address_of(extensions: &Extensions) -> String {
    let address = extensions.get::<ConnectInfo<SocketAddr>>();
    address.map_or_else(|| "unknown".to_owned(), |ConnectInfo(address)| address.ip().to_string())
}
