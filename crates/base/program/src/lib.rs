//! The frame every stage program shares: the arguments all of them take, logging and exit
//! codes. What a stage does is in its own crate.

mod arguments;
mod exit;
mod logging;

pub use arguments::{CommonArguments, Settings};
pub use exit::{UsageError, finish, run};
