//! Decoders are third-party code, and some panic on some files. Such a panic becomes an error that
//! names the file's format, and the program goes on.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::{DecodeError, PictureFormat};

thread_local! {
    /// Whether this thread is inside a decoder.
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder. Its unfinished work is dropped with its panic.
pub(crate) fn contained<T>(
    format: PictureFormat,
    decode: impl FnOnce() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    keep_contained_panics_quiet();
    let outer = DECODING.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(outer);
    outcome.unwrap_or_else(|panic| Err(DecodeError::Panicked { format, reason: words(&*panic) }))
}

/// The default hook writes every panic to standard error, caught or not. This one is silent for
/// decoders; panics of other threads and other code go to the previous hook.
fn keep_contained_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // A thread that is ending no longer has this flag.
            if !DECODING.try_with(Cell::get).unwrap_or(false) {
                others(panic);
            }
        }));
    });
}

/// The message of a panic, in one line.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_the_thread_goes_on() {
        let outcome: Result<(), _> = contained(PictureFormat::Tiff, || panic!("index 3\n of 2"));
        let message = outcome.unwrap_err().to_string();
        assert!(message.contains("TIFF") && message.contains("index 3 of 2"), "{message}");
        assert_eq!(contained(PictureFormat::Png, || Ok(7)).unwrap(), 7);
        assert!(!DECODING.get());
    }
}
