//! Helpers for tests with a real server. Each test file uses a part of them.
#![allow(dead_code)]

pub(crate) mod log;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod server;

use std::path::PathBuf;

/// A program of the reference environment.
pub(crate) fn reference(program: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../.venv-reference/bin")
        .join(program);
    assert!(path.exists(), "{} is missing: run scripts/setup reference", path.display());
    path
}

/// Settings for a server, and some further variables. Pauses between attempts are short.
pub(crate) fn settings(address: &str, variables: &[(&str, &str)]) -> mlflow::Settings {
    let usual = [
        ("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0.05"),
        ("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0"),
    ];
    let lookup = |name: &str| {
        let mut all = variables.iter().chain(&usual);
        all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    mlflow::Settings::for_server(address, lookup).unwrap()
}
