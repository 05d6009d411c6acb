//! Turns a file's bytes into the model's input. No torch here: this runs on other threads than the
//! model's.

use artifact::Digest;
use imaging::{DecodeError, DecodeOptions, GREY_BINS, Preprocessing};

use crate::answer::Image;

/// An image that is ready for the model.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) image: Image,
    /// `[3, S, S]`, normalised.
    pub(crate) planes: Vec<f32>,
    pub(crate) histogram: [f64; GREY_BINS],
}

impl Scan {
    /// Decodes, resizes and normalises as in training.
    ///
    /// # Errors
    /// When the bytes are not an image, are damaged, or announce more pixels than allowed.
    pub(crate) fn prepare(
        bytes: &[u8],
        preprocessing: &Preprocessing,
        options: &DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let picture = imaging::decode_with(bytes, options)?;
        Ok(Self {
            image: Image::of(Digest::of(bytes), &picture),
            planes: preprocessing.apply(&picture),
            histogram: imaging::grey_histogram(&picture),
        })
    }
}
