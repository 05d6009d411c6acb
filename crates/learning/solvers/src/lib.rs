//! Heads that are solved rather than trained by gradient descent: a convex problem on frozen
//! features is solved to its optimum, in seconds, with the same bits on any number of threads.
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
//! how many epochs, where layers    epochs, over the same folds
//! below the head learn too
//! ```
//!
//! Matrix products use faer. No libtorch, no files.

mod answers;
mod choice;
mod descent;
pub mod epochs;
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
#[cfg(test)]
mod testing;
mod words;

pub use answers::TIE_STANDARD_ERRORS;
pub use choice::{Choice, Kind};
pub use epochs::{CrossValidatedImages, EpochSearch};
pub use error::{Error, Result};
pub use head::{Fitted, Head};
pub use rows::{Cut, Labelled, Rows};
pub use search::{Candidate, Search, SearchSpace, Searched, search};
pub use standardise::Standardisation;

/// Fits a head of either kind. `seed` draws landmarks, if there are so many images that a kernel
/// head needs them.
///
/// # Errors
/// As [`linear::fit`] and [`kernel::fit`].
pub fn fit(
    kind: Kind,
    data: &Labelled<'_>,
    cuts: &[Cut],
    choice: &Choice,
    seed: u64,
) -> Result<Fitted> {
    match kind {
        Kind::Linear => linear::fit(data, cuts, choice),
        Kind::Kernel => kernel::fit(data, cuts, choice, seed),
    }
}
