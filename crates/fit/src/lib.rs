//! Heads that are solved, not descended: a convex problem on frozen features, to its optimum, in
//! seconds, the same to the last bit on any number of threads.
//!
//! ```text
//! features [N, D], labels          rows
//!   ↓ mean 0, deviation 1           standardise
//! ├─ linear   logistic regression    linear, descent
//! └─ kernel   support vectors        kernel::exact, kernel::smo
//!             or landmarks           kernel::landmarks
//!   ↓
//! logits [N, K]                     head
//! which strength, width, cuts      search, over folds that keep groups whole
//! ```
//!
//! Products of matrices are faer's. No libtorch, no files.

mod choice;
mod descent;
mod error;
mod factor;
pub mod folds;
mod head;
pub mod kernel;
pub mod linear;
mod product;
mod rows;
mod search;
mod standardise;

pub use choice::{Choice, Kind};
pub use error::{Error, Result};
pub use head::{Fitted, Head};
pub use rows::{Cut, Labelled, Rows};
pub use search::{Candidate, Search, SearchSpace, Searched, TIE_STANDARD_ERRORS, search};
pub use standardise::Standardisation;
