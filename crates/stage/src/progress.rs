//! Progress bars on standard error: drawn on a terminal, silent elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::shown::shown_log;

/// A progress bar; dropped or finished, it goes away.
pub type Progress = ProgressBar;

static QUIET: AtomicBool = AtomicBool::new(false);

/// All bars of the process, so that log lines can be written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

pub(crate) fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

fn is_drawn() -> bool {
    io::stderr().is_terminal() && !QUIET.load(Ordering::Relaxed)
}

fn bar(length: u64, style: &str, message: &str) -> Progress {
    if !is_drawn() {
        return ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template(style)
        .expect("the templates in this file are valid")
        .progress_chars("━╸─");
    BARS.add(ProgressBar::new(length).with_style(style).with_message(message.to_owned()))
}

/// A bar over a number of things, such as images, with rate and remaining time.
pub fn items_bar(count: u64, message: &str) -> Progress {
    bar(
        count,
        "{msg:>24} {bar:32.cyan/dim} {human_pos}/{human_len} · {per_sec:.1} · {eta} left",
        message,
    )
}

/// A bar over bytes, with rate and remaining time.
pub fn bytes_bar(bytes: u64, message: &str) -> Progress {
    bar(
        bytes,
        "{msg:>24} {bar:32.cyan/dim} {bytes}/{total_bytes} · {bytes_per_sec} · {eta} left",
        message,
    )
}

/// Writes log lines to standard error without tearing a bar, and without what a name could do to the
/// terminal.
#[derive(Default)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = shown_log(&String::from_utf8_lossy(line));
        if is_drawn() {
            BARS.suspend(|| io::stderr().write_all(text.as_bytes()))?;
        } else {
            io::stderr().write_all(text.as_bytes())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
