//! Standard output, whose reader may have seen enough.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static READER_IS_GONE: AtomicBool = AtomicBool::new(false);

/// Standard output, byte for byte. It notes when nobody reads on, as behind `| head`.
#[derive(Debug, Clone, Copy)]
pub struct Output;

/// Whether the reader of standard output went away. The program then ends, and has nothing to
/// complain about.
pub fn reader_is_gone() -> bool {
    READER_IS_GONE.load(Ordering::Relaxed)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(io::stdout().flush())
    }
}

fn noted<T>(outcome: io::Result<T>) -> io::Result<T> {
    if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        READER_IS_GONE.store(true, Ordering::Relaxed);
    }
    outcome
}
