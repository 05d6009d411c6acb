//! The common frame of all stage programs: their shared arguments, logging and exit codes. Each
//! stage's own work is in its own crate.

mod arguments;
mod exit;
mod logging;
mod shard;

pub use arguments::{CommonArguments, Settings};
pub use exit::{UsageError, exit_number, finish, run};
pub use logging::{start as start_logging, start_with_errors_alone};
pub use shard::{Shard, ShardChoice, ShardError};
