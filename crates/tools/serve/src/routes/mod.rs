//! The routes, and the layers that every one of them has.

pub(crate) mod audit;
pub(crate) mod dashboard;
pub(crate) mod drift;
pub(crate) mod feedback;
pub(crate) mod health;
mod image_answer;
pub(crate) mod model;
pub(crate) mod predict;
pub(crate) mod query;
pub(crate) mod rendered;
pub(crate) mod review;
pub(crate) mod samples;
pub(crate) mod seed;
pub(crate) mod session;
pub(crate) mod training;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_swagger_ui::SwaggerUi;

use crate::error::{Code, Failure};
use crate::guard::{headers, origin, panics, request_id, roles};
use crate::server::Server;
use crate::{api, meters, page};

/// Browsers may remember for this long which origins may call.
const CORS_AGE: Duration = Duration::from_secs(3600);

/// Every route with every layer.
pub(crate) fn router(server: &Server) -> Router {
    let mut router = Router::new();
    for (role, routes) in api::routers() {
        let (routes, _) = routes.split_for_parts();
        let routes = match role {
            Some(role) => {
                let state = (Arc::clone(&server.guard), role);
                routes.layer(from_fn_with_state(state, roles::layer))
            }
            None => routes,
        };
        router = router.merge(routes);
    }
    let asked = (Arc::clone(&server.guard.keys), Arc::clone(&server.settings));
    let is_tls = server.settings.tls.is_some();
    // Requests of orchestrators and collectors, which may come often, are not counted.
    let open = page::router()
        .merge(SwaggerUi::new("/docs").url("/openapi.json", api::description()))
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(&server.guard), roles::open_layer));
    router
        .merge(open)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(server.settings.limits.body_bytes()))
        .layer(CatchPanicLayer::custom(panics::answer))
        .layer(from_fn_with_state(asked, origin::layer))
        .layer(from_fn_with_state(Arc::clone(&server.meters), meters::layer))
        .layer(CompressionLayer::new())
        .layer(cors(&server.settings.cors_origins))
        .layer(from_fn(move |request, next| headers::layer(is_tls, request, next)))
        .layer(from_fn(request_id::layer))
        .with_state(server.clone())
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            "x-api-key".parse().expect("a header's name"),
        ])
        .expose_headers([request_id::HEADER, header::RETRY_AFTER])
        .max_age(CORS_AGE)
}

async fn not_found() -> Failure {
    Failure::new(Code::NotFound, "there is nothing at this address; /docs lists what there is")
}

async fn method_not_allowed() -> Failure {
    Failure::new(Code::MethodNotAllowed, "this address is not asked in this way; see /docs")
}
