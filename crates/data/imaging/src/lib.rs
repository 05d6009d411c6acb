//! Pixels: decode, resize, normalise, augment. No files and no tensors.
//!
//! A file's bytes become a [`Picture`] ([`decode()`]); [`Preprocessing`] turns it into the planar
//! `[3, H, W]` f32 values that the model sees, by one function for training, evaluation and
//! serving; [`augment()`] draws a random view of them, in training only, between resizing and
//! normalising.
//!
//! [`GreyLevels`] and the methods beside it remove something from a picture, to see whether a model
//! needs it.
//!
//! Every result depends only on its arguments: not on the number of threads, nor on the order in
//! which images are processed.

mod alter;
mod augment;
mod contain;
mod container;
mod decode;
mod decode_error;
mod decode_options;
pub mod dicom;
mod format;
mod full_depth;
mod gif;
mod grey;
mod interpolation;
mod jpeg;
mod limits;
mod normalisation;
mod picture;
mod png;
mod preprocessing;
mod resize;
mod thumbnail;
mod tiff;
mod window;

pub use alter::{GreyLevels, GreyTable, ReencodeError};
pub use augment::{AffineDraw, View, augment};
pub use decode::{decode, decode_with};
pub use decode_error::DecodeError;
pub use decode_options::{DecodeOptions, MAX_PIXELS};
pub use format::{PictureFormat, looks_like_image};
pub use grey::{GREY_BINS, Grey, grey_histogram};
pub use interpolation::Interpolation;
pub use normalisation::{ChannelStatistics, Normalisation};
pub use picture::{ColourMode, Picture, SeenThrough};
pub use preprocessing::Preprocessing;
pub use thumbnail::Thumbnail;
pub use window::{Window, WindowError};
