//! What a terminal shows: progress bars, log lines beside them, and names without what could harm it.
//!
//! Libraries that take long show their progress with this alone. What only programs need, such as
//! arguments and exit codes, is in `program`.

mod progress;
mod shown;

pub use progress::{LogWriter, Progress, bytes_bar, items_bar, set_quiet};
pub use shown::{Printed, markdown, shown, shown_lines};
