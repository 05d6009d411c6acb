//! What the stages tell an MLflow server of their runs, if anybody asked them to.
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
//! Nothing here can fail a stage, hold it up, or change what it makes: see [`mlflow::Tracker`].
//! Training and evaluation meet in one run through the spool, which is named after the training.

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
