//! The training loop: the images of each epoch ([`TrainingImages`]), one pass over them
//! ([`Epoch`]), when to stop and which epoch was best ([`History`]).
//!
//! A head that is solved takes one step: [`solve`] collects its training data, chooses and solves.
//!
//! `train` makes it resumable; `calibrate` and `evaluate` use it to train a head again without some
//! of the images ([`Refit`]).

mod confidence;
pub mod cross_validation;
mod epoch;
mod history;
mod images;
mod pace;
mod refit;
mod schedule;
pub mod solve;
mod standardise;
mod steps;
mod validation;

pub use confidence::Confidence;
pub use epoch::{Epoch, EpochReport};
pub use history::History;
pub use images::TrainingImages;
pub use pace::FeaturePass;
pub use refit::{Length, Refit, RefitHead};
pub use standardise::standardise;
pub use validation::validation_scores;
