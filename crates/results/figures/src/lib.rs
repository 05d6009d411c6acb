//! PNG pictures of a training and its evaluation, for places that cannot hold a page: MLflow,
//! slides, chat.
//!
//! - [`Curves`]: loss and accuracy by epoch.
//! - [`Confusion`]: the confusion matrix, each cell with its count and its share of the row.
//! - [`Sheet`]: test images with their class and the model's prediction.
//!
//! The same content gives the same bytes on any machine. The fonts are compiled in; no fonts of the
//! machine are used. Pictures are drawn as SVG and rasterised by `resvg`, and not by `plotters`,
//! because `resvg` is released every few months, shapes text as browsers do, and fills shapes with
//! integer arithmetic that gives the same result on every kind of CPU.
//!
//! The font is DejaVu Sans, which has Latin with all accents, Greek, Cyrillic, Arabic, Hebrew and
//! more, but not Chinese, Japanese or Korean. A character that it lacks is drawn as `□`, and a
//! class whose name has one is identified by its number in `class_indices.json`, as `2: □□`.

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

/// The notice at the foot of every picture.
const NOTICE: &str = "Research use only. Not a medical device.";
