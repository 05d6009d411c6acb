use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// Sends log lines to standard error, in colour on a terminal. `HOUNSFIELD_LOG` takes a filter such
/// as `debug` or `ingest=trace` and overrides the flags.
pub fn start(verbose: u8, quiet: bool) {
    start_at(
        match (quiet, verbose) {
            (true, _) => "warn",
            (false, 0) => "info",
            (false, 1) => "debug",
            (false, _) => "trace",
        },
        quiet,
    );
}

/// The same for a process that does the same work as another one, which reports it: errors alone.
pub fn start_with_errors_alone() {
    start_at("error", true);
}

fn start_at(level: &str, quiet: bool) {
    let quiet_libraries = "hyper=warn,reqwest=warn,rustls=warn,h2=warn";
    let filter = EnvFilter::try_from_env("HOUNSFIELD_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},{quiet_libraries}")));
    terminal::set_quiet(quiet);
    // A second start (in a test) fails, and the first one stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(terminal::LogWriter::default)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .without_time()
        .with_target(false)
        // A failure to log is not reported on standard error either: that would be a panic.
        .log_internal_errors(false)
        .try_init();
}

/// `ingest: failed to …: cause: cause`, each once: a cause that the message before it already
/// quotes is not repeated.
pub(crate) fn report(program: &str, error: &anyhow::Error) {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    let (red, plain) = if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        ("\u{1b}[1;31m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    let text = terminal::shown_lines(&text);
    // If standard error cannot be written, only the exit code reports the failure.
    let _ = writeln!(io::stderr(), "{program}: {red}failed to {text}{plain}");
}
