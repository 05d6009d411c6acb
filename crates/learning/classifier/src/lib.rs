//! The classifier, and the only crate that knows libtorch.
//!
//! ```text
//! picture ─ imaging::Preprocessing ─▶ image [3, S, S]
//!    image ─ frozen part of the base ─▶ activation      (computed once, kept on disk)
//!   activation ─ rest of the base ─ head ─▶ logits      (what a Learner changes)
//! ```
//!
//! [`bases`] are the networks that a head stands on, and an [`ensemble`] is several models that
//! answer as one. [`architecture`] describes the whole network, [`backend`] the device and the number format. `network`
//! runs it, [`learner`] trains it by epochs, [`solved`] uses a head that was solved, [`checkpoint`]
//! and [`model`] store it, [`description`] records its origin. [`calibration`] makes its
//! probabilities reliable, [`foreign`] detects images of another kind. Callers pass plain slices
//! and host tensors; no libtorch type leaves this crate.

pub mod architecture;
pub mod backend;
mod base_weights;
pub mod bases;
pub mod calibration;
pub mod checkpoint;
pub mod description;
pub mod drift;
pub mod ensemble;
mod error;
pub mod features;
pub mod foreign;
mod frozen_layers;
pub mod held_out;
pub mod initialise;
pub mod learner;
pub mod model;
pub mod model_folder;
mod model_input;
mod network;
pub mod registered;
mod seal;
pub mod solved;
mod summary;
mod tensor_spec;
pub mod tensors;

pub use base_weights::{BaseInput, BaseWeights};
pub use error::{ClassifierError, Result};
pub use frozen_layers::FrozenLayers;
pub use model_input::ModelInput;
pub use summary::summary_table;
pub use tensor_spec::TensorSpec;
