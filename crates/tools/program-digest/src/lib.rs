//! The digest of each stage's program, so that DVC runs a stage again only when its result can
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
//! Unknown code counts: the bytes of a file that cannot be parsed are used. So a change can make a
//! stage run again without need, but never leaves a stale result.

mod code;
mod lock;
mod sources;
mod workspace;

pub use workspace::Workspace;
