//! The description of the API, OpenAPI 3.1.

use services::Role;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ErrorAnswer;
use crate::routes::{
    audit, dashboard, drift, feedback, health, model, predict, rendered, review, samples, seed,
    session, training,
};
use crate::server::Server;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hounsfield",
        description = "Predictions of a tumour-image classifier. Research use only. Not a medical device.",
        license(name = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "predict", description = "Ask the model"),
        (name = "model", description = "Which model answers"),
        (name = "review", description = "Earlier predictions, and corrections"),
        (name = "training", description = "Train again"),
        (name = "operate", description = "For operators"),
    ),
    modifiers(&Keys),
)]
struct Description;

/// The authentication of a request.
struct Keys;

impl utoipa::Modify for Keys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(bearer));
    }
}

/// Routes by the role they need; `None` needs no key.
pub(crate) fn routers() -> [(Option<Role>, OpenApiRouter<Server>); 4] {
    let open = OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics));
    let predict = OpenApiRouter::new()
        .routes(routes!(seed::predict))
        .routes(routes!(predict::predict))
        .routes(routes!(rendered::rendered))
        .routes(routes!(session::session))
        .routes(routes!(model::model))
        .routes(routes!(samples::list))
        .routes(routes!(samples::one));
    let review = OpenApiRouter::new()
        .routes(routes!(review::list))
        .routes(routes!(review::one))
        .routes(routes!(review::image))
        .routes(routes!(feedback::feedback))
        .routes(routes!(feedback::summary))
        .routes(routes!(dashboard::dashboard))
        .routes(routes!(drift::drift))
        .routes(routes!(training::progress))
        .routes(routes!(training::events));
    let admin = OpenApiRouter::new()
        .routes(routes!(model::reload))
        .routes(routes!(model::rollback))
        .routes(routes!(training::start))
        .routes(routes!(training::record))
        .routes(routes!(audit::audit));
    [
        (None, open),
        (Some(Role::Predict), predict),
        (Some(Role::Review), review),
        (Some(Role::Admin), admin),
    ]
}

/// The failures that any request may get before its route handles it: a missing key, too many
/// requests, …
fn failure() -> Response {
    let body = Content::new(Some(Ref::from_schema_name(ErrorAnswer::name())));
    ResponseBuilder::new()
        .description("A failure of any other kind")
        .content("application/json", body)
        .build()
}

/// The whole description.
pub(crate) fn description() -> utoipa::openapi::OpenApi {
    let mut api = Description::openapi();
    for (_, router) in routers() {
        api.merge(router.into_openapi());
    }
    for item in api.paths.paths.values_mut() {
        let operations = [item.get.as_mut(), item.post.as_mut()];
        for operation in operations.into_iter().flatten() {
            let of_layers = operation.responses.responses.entry("default".to_owned());
            of_layers.or_insert_with(|| RefOr::T(failure()));
        }
    }
    api.info.version = env!("CARGO_PKG_VERSION").into();
    api
}
