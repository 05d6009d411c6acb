//! Detects requests that another site's page made a browser send.
//!
//! Without keys, every user of this machine may do everything, and so might every web page in a
//! browser on this machine, unless its requests are detected. There are two ways: a form or a
//! script that posts to `http://127.0.0.1:8080` (cross-site request forgery, detected by `Origin`),
//! and a foreign host name that suddenly resolves to 127.0.0.1 (DNS rebinding, detected by `Host`).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, header, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use services::ServeConfig;

use crate::error::{Code, Failure};
use crate::guard::keys::Keys;

/// Accepts requests of this server's own page, an allowed origin, or a program.
pub(crate) async fn layer(
    State((keys, settings)): State<(Arc<Keys>, Arc<ServeConfig>)>,
    request: Request,
    next: Next,
) -> Response {
    let is_open = !keys.are_needed();
    match check(&request, is_open, &settings.cors_origins) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// `is_open`: no keys protect the server, so foreign host names must be rejected.
fn check(request: &Request, is_open: bool, allowed: &[String]) -> Result<(), Failure> {
    let host = host_of(request);
    if is_open && !host.as_ref().is_some_and(is_this_machine) {
        let named = host.map_or("none".to_owned(), |host| format!("{host:?}"));
        let message = format!(
            "the request names the host {named}, and without keys only this machine is served; \
             ask for localhost or 127.0.0.1, or make keys with `serve key`"
        );
        return Err(Failure::new(Code::Forbidden, message));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let Some(origin) = text(request, &header::ORIGIN) else { return Ok(()) };
    let is_own = origin.split_once("://").is_some_and(|(_, authority)| {
        host.is_some_and(|host| host.as_str().eq_ignore_ascii_case(authority))
    });
    if is_own || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    let message = format!(
        "pages of {origin:?} may not call this server; serve.cors_origins in config.yaml lists \
         those that may"
    );
    Err(Failure::new(Code::Forbidden, message))
}

/// The host that the client addresses, with the port.
fn host_of(request: &Request) -> Option<Authority> {
    let named = || text(request, &header::HOST)?.parse().ok();
    // HTTP/2 sends it as a part of the address.
    request.uri().authority().cloned().or_else(named)
}

fn is_this_machine(host: &Authority) -> bool {
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn text<'a>(request: &'a Request, name: &HeaderName) -> Option<&'a str> {
    // A value that is not text is not a valid origin.
    request.headers().get(name).map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(method: &str, host: &str, origin: Option<&str>) -> Request {
        let request = Request::builder().method(method).uri("/train").header("host", host);
        let request = match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        };
        request.body(Body::empty()).unwrap()
    }

    #[track_caller]
    fn is_let_in(request: &Request, is_open: bool) -> bool {
        check(request, is_open, &["https://ward.example.org".to_owned()]).is_ok()
    }

    #[test]
    fn a_name_of_a_strangers_for_this_machine_is_not_served_without_keys() {
        for host in ["localhost:8080", "LocalHost", "localhost.:1", "127.0.0.1:8080", "[::1]:8080"]
        {
            assert!(is_let_in(&request("GET", host, None), true), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example:8080", "192.168.0.2", "", "a b", "[::2]"]
        {
            assert!(!is_let_in(&request("GET", host, None), true), "{host}");
        }
        assert!(is_let_in(&request("GET", "ward.example.org", None), false));
    }

    #[test]
    fn only_own_and_allowed_pages_may_change_anything() {
        let post = |origin| request("POST", "localhost:8080", Some(origin));
        for origin in
            ["http://localhost:8080", "https://localhost:8080", "https://ward.example.org"]
        {
            assert!(is_let_in(&post(origin), true), "{origin}");
        }
        for origin in
            ["https://evil.example", "http://localhost", "http://localhost:9", "null", "", "\u{fc}"]
        {
            assert!(!is_let_in(&post(origin), true), "{origin}");
            assert!(!is_let_in(&post(origin), false), "{origin}");
        }
        let get = request("GET", "localhost:8080", Some("https://evil.example"));
        assert!(is_let_in(&get, true), "browsers keep the answer from the page");
        assert!(is_let_in(&request("POST", "localhost:8080", None), true), "no browser sent it");
    }
}
