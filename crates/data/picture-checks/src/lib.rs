//! Facts about pictures that can be measured without knowing what they show.
//!
//! ```text
//! one picture, decoded
//!   ↓ measured once: size, colours, brightness, a thumbnail, marks    Facts
//! the facts of a data set
//!   ├─ how many images each class and split has                      balance
//!   ├─ how bright each class is in each split                        statistics
//!   └─ sizes, shapes and brightnesses unlike all others              outliers
//! ```
//!
//! Facts are small (under 6 KB), so that those of 10,000 pictures fit in memory together. Labels
//! are only used for counting here; the classifiers that are fitted on facts are in the crate
//! `shortcuts`. Every result depends only on its arguments, not on the number of threads.

mod balance;
mod facts;
mod marks;
mod outliers;
mod statistics;

pub use balance::{ClassBalance, SplitBalance};
pub use facts::{BLANK_SHARE, Facts, GreyThumbnail, LevelShares, THUMBNAIL_SIDE};
pub use marks::{Mark, MarkKind, Region};
pub use outliers::{Outlier, OutlierMeasure, Outliers, TypicalRange};
pub use statistics::{Described, IntensityStatistics, Quantiles, intensity_statistics};
