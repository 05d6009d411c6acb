//! Progress on standard error: bars on a terminal, a line every 30 seconds in a log.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::shown::shown_log;

/// A progress bar; it disappears when it is dropped or finished.
pub type Progress = ProgressBar;

static QUIET: AtomicBool = AtomicBool::new(false);

/// All bars of the process, so that log lines can be written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Draws no bars and logs no progress lines.
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

fn is_drawn() -> bool {
    io::stderr().is_terminal() && !QUIET.load(Ordering::Relaxed)
}

/// If no bar is drawn, a line logs the progress of a pass at this interval.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

fn bar(length: u64, style: &str, message: &str) -> Progress {
    if !is_drawn() {
        let hidden = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        if !QUIET.load(Ordering::Relaxed) {
            let message = message.to_owned();
            let tell = move |bar: &ProgressBar| tracing::info!("{message}: {}", line(bar));
            // The bar works in all other respects without these lines.
            let _ = tell_every(BETWEEN_LINES, &hidden, tell);
        }
        return hidden;
    }
    let style = ProgressStyle::with_template(style)
        .expect("the templates in this file are valid")
        .progress_chars("━╸─");
    BARS.add(ProgressBar::new(length).with_style(style).with_message(message.to_owned()))
}

/// Calls `tell` again and again until the bar is finished or gone.
fn tell_every(
    every: Duration,
    bar: &ProgressBar,
    tell: impl Fn(&ProgressBar) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let bar = bar.downgrade();
    thread::Builder::new().name("progress".to_owned()).spawn(move || {
        loop {
            thread::sleep(every);
            match bar.upgrade() {
                Some(bar) if !bar.is_finished() => tell(&bar),
                _ => return,
            }
        }
    })
}

/// `1,200 of 7,000, 41 a second, 2 minutes left`
fn line(bar: &ProgressBar) -> String {
    let (done, rate) = (bar.position(), bar.per_sec());
    match bar.length().filter(|length| *length > 0) {
        Some(length) => {
            format!("{done} of {length}, {rate:.1} a second, {} left", HumanDuration(bar.eta()))
        }
        None => format!("{done}, {rate:.1} a second"),
    }
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

/// Writes log lines to standard error without breaking a bar, and with control characters escaped.
#[derive(Debug, Default)]
pub struct LogWriter;

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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_long_pass_is_told_of_until_it_ends() {
        let bar = ProgressBar::with_draw_target(Some(10), ProgressDrawTarget::hidden());
        let (tell, told) = mpsc::channel();
        let telling = tell_every(Duration::from_millis(1), &bar, move |bar| {
            // The test may have stopped listening.
            let _ = tell.send(line(bar));
        });
        bar.inc(4);
        let said = told.iter().find(|line| line.starts_with("4 of 10, ")).unwrap();
        assert!(said.ends_with(" left"), "{said}");
        bar.finish_and_clear();
        telling.unwrap().join().unwrap();
    }

    #[test]
    fn a_bar_that_is_dropped_is_told_of_no_more() {
        let bar = ProgressBar::with_draw_target(Some(10), ProgressDrawTarget::hidden());
        let telling = tell_every(Duration::from_millis(1), &bar, |_| {}).unwrap();
        drop(bar);
        telling.join().unwrap();
    }
}
