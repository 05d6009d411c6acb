//! The frame every stage program shares: the arguments all of them take, logging, progress bars
//! and exit codes. What a stage does is in its own crate.

mod arguments;
mod exit;
mod logging;
mod progress;
mod shown;

pub use arguments::{CommonArguments, Settings};
pub use exit::{UsageError, finish, run};
pub use progress::{Progress, bytes_bar, items_bar};
pub use shown::{Printed, markdown, shown, shown_lines};
