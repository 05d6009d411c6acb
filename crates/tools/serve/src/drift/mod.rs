//! Notices when later images are of another kind than those of the calibration.
//!
//! ```text
//! predictions of the present model, by windows of time    window
//!   ↓ distances, confidences, predicted classes
//! each against the images of the calibration              compare
//!   ↓ statistic, limit
//! /metrics, GET /v1/drift, the page                        watch, outcome
//! ```
//!
//! Windows follow each other without a gap, and each is tested once, so that the share of windows
//! with a false alarm is the level of the test: see [`level_of`](compare::level_of).

pub(crate) mod compare;
pub(crate) mod outcome;
pub(crate) mod watch;
mod window;
