//! PNG pictures of a training and its evaluation, for where a page cannot go: MLflow, slides, chat.
//!
//! - [`Curves`]: loss and accuracy by epoch.
//! - [`Confusion`]: the confusion matrix, each cell with its count and its share of the row.
//! - [`Sheet`]: test images with what they are and what the model said.
//!
//! The same content gives the same bytes on any machine. The fonts are compiled in; nothing is
//! looked for on the machine. Pictures are drawn as SVG and rasterised by `resvg`, and not by
//! `plotters`, because it is released every few months, shapes text as browsers do, and fills
//! shapes with whole-number arithmetic that every kind of CPU agrees on.
//!
//! The font is DejaVu Sans, which has Latin with all accents, Greek, Cyrillic, Arabic, Hebrew and
//! more, but neither Chinese, Japanese nor Korean. A character that it lacks is drawn as `□`, and
//! a class whose name has one is told by its number in `class_indices.json`, as `2: □□`.

mod canvas;
mod colour;
mod confusion;
mod curves;
mod error;
mod labels;
mod scale;
mod sheet;
mod text;

pub use confusion::Confusion;
pub use curves::{Curves, Epoch};
pub use error::FigureError;
pub use sheet::{Sheet, SheetImage};

/// Stands at the foot of every picture.
const NOTICE: &str = "Research use only. Not a medical device.";
