//! The errors of a server: JSON from MLflow, plain text from its login and host checks, HTML from
//! its router and from proxies.

use std::time::SystemTime;

use regex::Regex;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use serde_json::Value;
use url::Url;

use crate::address::shown;
use crate::error::Failure;
use crate::retry_after::asked_pause;
use crate::{Credentials, ServerAddress};

/// The longest text of a server that is quoted.
const LONGEST_MESSAGE_CHARACTERS: usize = 300;

/// An answer whose status is not a success.
pub(crate) struct Refusal<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Refusal<'_> {
    /// The meaning for a user who logged in with `credentials`.
    pub(crate) fn explain(&self, server: &ServerAddress, credentials: &Credentials) -> Failure {
        let (code, message) = self.words();
        let message = credentials.hide_in(&message);
        let advice = self.advice(code.as_deref(), &message, server, credentials);
        Failure::Answered {
            status: self.status,
            code,
            message,
            advice,
            retry_after: asked_pause(self.headers, SystemTime::now()),
        }
    }

    /// MLflow's name for the error, and the text.
    fn words(&self) -> (Option<String>, String) {
        let text = String::from_utf8_lossy(self.body);
        let Ok(Value::Object(fields)) = serde_json::from_slice(self.body) else {
            return (None, shortened(&without_tags(&text)));
        };
        let field = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        // The artifact router calls it `detail`.
        let message = field("message").or_else(|| field("detail"));
        (field("error_code"), shortened(&message.unwrap_or_else(|| text.into_owned())))
    }

    fn advice(
        &self,
        code: Option<&str>,
        message: &str,
        server: &ServerAddress,
        credentials: &Credentials,
    ) -> Option<String> {
        match self.status.as_u16() {
            300..=399 => Some(match self.target() {
                Some(target) => {
                    format!("it has moved to {target}; set MLFLOW_TRACKING_URI to that address")
                }
                None => "it has moved; check MLFLOW_TRACKING_URI".to_owned(),
            }),
            401 => Some(login_advice(credentials).to_owned()),
            403 if message.contains("Invalid Host header") => Some(format!(
                "it does not answer to the name {0}; start it with --allowed-hosts {0} \
                 (or MLFLOW_SERVER_ALLOWED_HOSTS), or check MLFLOW_TRACKING_URI",
                server.host()
            )),
            403 => Some(format!(
                "{} may not do this there; check the permissions, and {}",
                who(credentials),
                variables(credentials)
            )),
            404 | 405 if code.is_none() => Some(
                "no MLflow server answers there, or one that is too old; \
                 check MLFLOW_TRACKING_URI"
                    .to_owned(),
            ),
            407 => Some("a proxy wants a login; check HTTP_PROXY and HTTPS_PROXY".to_owned()),
            413 => Some("it is too large for the server, or for a proxy before it".to_owned()),
            _ => None,
        }
    }

    fn target(&self) -> Option<String> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        Url::parse(location).ok().map(|url| shown(&url))
    }
}

fn login_advice(credentials: &Credentials) -> &'static str {
    match credentials {
        Credentials::None => {
            "it wants a login; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, \
             or MLFLOW_TRACKING_TOKEN"
        }
        Credentials::Basic { .. } => {
            "it refuses the login; check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        }
        Credentials::Bearer(_) => "it refuses the token; check MLFLOW_TRACKING_TOKEN",
    }
}

fn who(credentials: &Credentials) -> String {
    match credentials {
        Credentials::None => "someone without a login".to_owned(),
        Credentials::Basic { username, .. } => format!("the user {username:?}"),
        Credentials::Bearer(_) => "the owner of the token".to_owned(),
    }
}

fn variables(credentials: &Credentials) -> &'static str {
    match credentials {
        Credentials::None => "MLFLOW_TRACKING_USERNAME or MLFLOW_TRACKING_TOKEN, which are not set",
        Credentials::Basic { .. } => "MLFLOW_TRACKING_USERNAME",
        Credentials::Bearer(_) => "MLFLOW_TRACKING_TOKEN",
    }
}

/// The text of a page. The title of its head, if there is one, is a short form.
fn without_tags(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return text.to_owned();
    }
    let title = Regex::new(r"(?is)<title[^>]*>(.*?)</title>").expect("the pattern is valid");
    if let Some(title) = title.captures(text).map(|found| found[1].trim().to_owned())
        && !title.is_empty()
    {
        return title;
    }
    let tag = Regex::new(r"(?s)<[^>]*>").expect("the pattern is valid");
    tag.replace_all(text, " ").into_owned()
}

/// On one line, and shortened.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_MESSAGE_CHARACTERS {
        return line;
    }
    line.chars().take(LONGEST_MESSAGE_CHARACTERS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn explained(status: u16, body: &str, credentials: &Credentials) -> String {
        let (server, _) = ServerAddress::parse("http://mlflow:5000").unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let headers = HeaderMap::new();
        Refusal { status, headers: &headers, body: body.as_bytes() }
            .explain(&server, credentials)
            .to_string()
    }

    #[test]
    fn mlflows_own_words_are_repeated() {
        let body = r#"{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Run 'x'\n not found"}"#;
        let text = explained(404, body, &Credentials::None);
        assert_eq!(text, "the server answered 404 RESOURCE_DOES_NOT_EXIST: Run 'x' not found");
        let text = explained(501, r#"{"detail": "Not Implemented"}"#, &Credentials::None);
        assert_eq!(text, "the server answered 501: Not Implemented");
    }

    #[test]
    fn pages_are_told_by_their_title_or_words() {
        let page = "<!doctype html>\n<title>404 Not Found</title><h1>Not Found</h1>";
        let text = explained(404, page, &Credentials::None);
        assert!(text.starts_with("the server answered 404: 404 Not Found; no MLflow"), "{text}");
        let text = explained(502, "<html><h1>Bad  Gateway</h1></html>", &Credentials::None);
        assert_eq!(text, "the server answered 502: Bad Gateway");
        let text = explained(500, &"long ".repeat(1000), &Credentials::None);
        assert!(text.len() < 400, "{text}");
    }

    #[test]
    fn a_refused_login_names_the_variable_to_look_at() {
        let basic =
            Credentials::Basic { username: "ada".into(), password: Secret::new("open sesame") };
        let token = Credentials::Bearer(Secret::new("open sesame"));
        let cases = [
            (401, &Credentials::None, "set MLFLOW_TRACKING_USERNAME"),
            (401, &basic, "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
            (401, &token, "check MLFLOW_TRACKING_TOKEN"),
            (403, &Credentials::None, "which are not set"),
            (403, &basic, "the user \"ada\" may not do this there"),
            (403, &token, "MLFLOW_TRACKING_TOKEN"),
        ];
        for (status, credentials, expected) in cases {
            let text = explained(status, "denied: open sesame", credentials);
            assert!(text.contains(expected), "{text}");
            let quoted = *credentials != Credentials::None && text.contains("sesame");
            assert!(!quoted, "{text}");
        }
    }

    #[test]
    fn a_refused_host_names_the_option_to_start_the_server_with() {
        let body = "Invalid Host header - possible DNS rebinding attack detected";
        let text = explained(403, body, &Credentials::None);
        assert!(text.contains("--allowed-hosts mlflow "), "{text}");
    }

    #[test]
    fn a_redirect_names_the_new_address_without_what_may_be_secret() {
        let (server, _) = ServerAddress::parse("http://host.example").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, "https://u:hush@host.example/login?t=hush".parse().unwrap());
        let refusal = Refusal { status: StatusCode::FOUND, headers: &headers, body: b"" };
        let text = refusal.explain(&server, &Credentials::None).to_string();
        assert!(text.contains("has moved to https://host.example/login"), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }
}
