//! Log lines on standard error. They never contain an image, a key, or a file's name.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::arguments::{Arguments, LogFormat};

/// Starts the log. `HOUNSFIELD_LOG` takes a filter such as `debug`, and overrides the flags.
pub(crate) fn start(arguments: &Arguments) {
    let level = match (arguments.quiet, arguments.verbose) {
        (true, _) => "warn",
        (false, 0) => "info",
        (false, 1) => "debug",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_env("HOUNSFIELD_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!("{level},hyper=warn,h2=warn,rustls=warn,sqlx=warn"))
    });
    let is_terminal = io::stderr().is_terminal();
    let is_json = match arguments.log {
        LogFormat::Auto => !is_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // A failure to log is not reported on standard error either: that would be a panic.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    // A second start (in a test) fails, and the first one stays.
    let _ = if is_json {
        lines.json().flatten_event(true).with_target(false).try_init()
    } else {
        let colours = is_terminal && std::env::var_os("NO_COLOR").is_none();
        lines.with_ansi(colours).with_target(false).without_time().try_init()
    };
}
