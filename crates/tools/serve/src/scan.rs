//! Turns a file's bytes into the model's input. No torch here: this runs on other threads than the
//! model's.

use artifact::Digest;
use classifier::ModelInput;
use imaging::{DecodeError, DecodeOptions, GREY_BINS};

use crate::answer::Image;

/// An image that is ready for the model.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) image: Image,
    /// What the model sees of it: `[3, S, S]`, normalised, or several of these.
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
        input: &ModelInput,
        options: &DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let picture = imaging::decode_with(bytes, options)?;
        Ok(Self {
            image: Image::of(Digest::of(bytes), &picture),
            planes: input.apply(&picture),
            histogram: imaging::grey_histogram(&picture),
        })
    }
}
