//! What the program of each stage is made of, so that DVC reruns a stage only when its result can
//! change.
//!
//! ```text
//! Cargo.toml, crates/*/*/Cargo.toml ─ which crates a program links     workspace
//!   ↓ their sources, less tests                                         sources
//!   ↓ their tokens, less comments and documentation                     code
//! Cargo.lock ─ the libraries of all programs, with their digests        lock
//!   ↓
//! <program>.txt ─ a line for each crate, one for libraries, one for the build
//! ```
//!
//! What is not understood counts: a file that does not parse is taken byte by byte. So a change can
//! rerun a stage for nothing, and never leaves a stale result.

mod code;
mod lock;
mod sources;
mod workspace;

pub use workspace::Workspace;
