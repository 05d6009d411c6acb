//! Logs the stages' runs to an MLflow server, if tracking was requested.
//!
//! ```text
//! config.yaml, MLFLOW_… ─ which server, if any        server
//!   ↓ the training's id
//! artifacts/tracking/<training>/ ─ the run's spool    spools
//!   ↓
//! TrackedRun ─ params, images, metrics, files         run, values, images
//!   ↑ Ctrl-C                                           interruption
//! ```
//!
//! Nothing here can make a stage fail, delay it, or change its output: see [`mlflow::Tracker`].
//! Training and evaluation use one run through the spool, which is named after the training.

mod images;
mod interruption;
mod program;
mod run;
mod server;
mod spools;
mod values;

pub use images::DataUse;
pub use program::Program;
pub use run::TrackedRun;
pub use server::{demanded_server, server};
