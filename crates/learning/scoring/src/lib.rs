//! Runs a model over labelled images.
//!
//! ```text
//! test split, or a folder ─ classes, groups, copies in training       test_set
//!   ↓ digests are the recorded ones                                    images
//!   ↓ the model, its temperature                                       predict
//! one row for each image                                              predictions
//! ```
//!
//! [`looks`] counts how often a test set was scored. [`overlay()`] shows where a model looked,
//! [`Mask`] covers a part of its input.

mod images;
pub mod looks;
mod mask;
mod overlay;
mod predict;
mod predictions;
mod test_set;

pub use images::{ImageError, read_file, read_images, read_picture};
pub use mask::Mask;
pub use overlay::{heat_layer, overlay};
pub use predict::{InferenceError, dump_inputs, predict, predict_with_activations, prediction};
pub use predictions::{Prediction, for_metrics, write_predictions};
pub use test_set::{TestImage, TestSet, TestSetError, Unit};
