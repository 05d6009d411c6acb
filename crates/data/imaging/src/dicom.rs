//! DICOM: the kind of a file, its patient, and its first frame as a picture.
//!
//! ```text
//! file ─ mark, meta ─→ transfer syntax, data set
//!   data set ─ walk, over elements ─→ attributes: a few values, and the place of the pixels
//!     first frame ─ layout, frame, with rle, jpeg, jpeg2000 ─→ stored values
//!       ─ grey, with lut ─→ Hounsfield units, window, 16-bit grey
//!       ─ colour ─→ RGB
//! ```

mod attributes;
mod codestream;
mod colour;
mod elements;
mod frame;
mod grey;
mod identity;
mod jpeg;
mod jpeg2000;
mod layout;
mod lut;
mod mark;
mod meta;
mod place;
mod refusal;
mod rle;
mod walk;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

pub use identity::{Identity, identity};
pub(crate) use mark::is_dicom;
pub use meta::object_without_image;

use crate::picture::Samples;
use crate::{ColourMode, DecodeError, DecodeOptions, Picture};
use attributes::Attributes;
use frame::Frame;
use grey::GreyScale;
use layout::{Colours, Layout};
use place::Extent;
use refusal::truncated;

/// The attributes that decoding needs.
const WANTED: [Tag; 25] = [
    tags::SOP_CLASS_UID,
    tags::MODALITY,
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::PLANAR_CONFIGURATION,
    tags::NUMBER_OF_FRAMES,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::BITS_STORED,
    tags::HIGH_BIT,
    tags::PIXEL_REPRESENTATION,
    tags::PIXEL_PADDING_VALUE,
    tags::PIXEL_PADDING_RANGE_LIMIT,
    tags::WINDOW_CENTER,
    tags::WINDOW_WIDTH,
    tags::RESCALE_INTERCEPT,
    tags::RESCALE_SLOPE,
    tags::RESCALE_TYPE,
    tags::VOILUT_FUNCTION,
    tags::LUT_DESCRIPTOR,
    tags::LUT_DATA,
    tags::MODALITY_LUT_TYPE,
    tags::PRESENTATION_LUT_SHAPE,
    tags::EXTENDED_OFFSET_TABLE,
];

/// Decodes the first frame of a file.
pub(crate) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Picture, DecodeError> {
    if let Some(object) = object_without_image(bytes) {
        return Err(DecodeError::NoImage { object: object.to_owned() });
    }
    let most_bytes = most_bytes(options.max_pixels);
    let attributes = Attributes::read(bytes, &WANTED, Extent::Pixels, most_bytes)?;
    if attributes.pixels.is_none() {
        return Err(without_pixels(&attributes));
    }
    let layout = Layout::of(&attributes, options.max_pixels)?;
    let is_colour = matches!(layout.colours, Colours::Rgb | Colours::Ybr);
    // Every reason to refuse a file is checked before its pixels are read.
    let scale =
        if is_colour { None } else { Some(GreyScale::of(&attributes, &layout, options.window)?) };
    let frame = Frame::first(&attributes, layout, options.max_pixels)?;
    let layout = frame.layout;
    let is_deep = layout.bits_stored > 8;
    let size = [u32::from(layout.columns), u32::from(layout.rows)];
    let Some(scale) = scale else {
        let mode = if is_deep { ColourMode::Rgb16 } else { ColourMode::Rgb };
        return Ok(Picture::from_dicom(mode, size, colour::rgb(&frame)));
    };
    let (grey, window) = scale.of_layout(&layout).apply(&frame);
    let mode = if is_deep { ColourMode::Grey16 } else { ColourMode::Grey };
    let picture = Picture::from_dicom(mode, size, Samples::Grey16(grey));
    Ok(picture.seen(scale.through(), window))
}

/// Memory for a deflated file: the same as decoders of other formats get.
fn most_bytes(max_pixels: u64) -> usize {
    usize::try_from(crate::decode_options::decoder_bytes(max_pixels)).unwrap_or(usize::MAX)
}

/// The error for a file without pixels: if it states a picture size, its pixels are lost; otherwise
/// it never had any.
fn without_pixels(attributes: &Attributes<'_>) -> DecodeError {
    if attributes.word(tags::ROWS).is_some() {
        return truncated();
    }
    let object = match attributes.text(tags::MODALITY) {
        Some(modality) => format!("an object of modality {modality}"),
        None => "an object".to_owned(),
    };
    DecodeError::NoImage { object }
}
