//! The key of a request, and whether its role reaches so far.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::Extensions;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use config::Role;

use crate::error::Failure;
use crate::guard::keys::Caller;
use crate::server::Server;

/// Lets requests of a role through, counts them, and tells the handler whose they are; the answer
/// carries the caller too, for layers outside of this one.
pub(crate) async fn layer(
    State((server, role)): State<(Arc<Server>, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match identify(&server, &request) {
        Ok(caller) => caller,
        Err(failure) => return failure.into_response(),
    };
    let mut response = match caller.may(role) {
        Ok(()) => {
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    };
    response.extensions_mut().insert(caller);
    response
}

/// Who sent a request, if they may send one now.
fn identify(server: &Server, request: &Request) -> Result<Caller, Failure> {
    let address = || address_of(request.extensions());
    let caller = match server.keys.caller(request.headers()) {
        Ok(caller) => caller,
        Err(refused) => {
            // Whoever tries keys is counted too.
            server.rate.count(&address())?;
            return Err(refused);
        }
    };
    let counted = if server.keys.are_needed() { caller.name.clone() } else { address() };
    server.rate.count(&counted)?;
    Ok(caller)
}

fn address_of(extensions: &Extensions) -> String {
    let address = extensions.get::<ConnectInfo<SocketAddr>>();
    address.map_or_else(|| "unknown".to_owned(), |ConnectInfo(address)| address.ip().to_string())
}
