//! Terminal output: progress bars, log lines beside them, and names with harmful characters
//! escaped.
//!
//! Libraries that take long need only this crate to show progress. Parts that only programs need,
//! such as arguments and exit codes, are in `program`.

mod output;
mod progress;
mod shown;

pub use output::{Output, reader_is_gone};
pub use progress::{LogWriter, Progress, bytes_bar, items_bar, set_quiet};
pub use shown::{Printed, markdown, shown, shown_lines};
