//! Stored values become grey: rescaled, and seen through a window.

use dicom_dictionary_std::{tags, uids};
use fast_image_resize::pixels::U16;

use super::attributes::Attributes;
use super::damaged;
use super::frame::{Colours, Frame, Layout};
use crate::{DecodeError, Window};

/// Words that a sample can be.
const WORDS: usize = 1 << 16;

/// From stored bits to grey, in the steps of DICOM PS3.3 C.11.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GreyScale {
    stored: Stored,
    rescale: Rescale,
    /// What the file asks to be seen through, if anything.
    own: Option<(Window, Curve)>,
    padding: Option<[i32; 2]>,
    inverted: bool,
    is_hounsfield: bool,
}

/// Which bits of a word count, and whether they have a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stored {
    bits: u16,
    lowest_bit: u16,
    signed: bool,
}

/// PS3.3 C.11.1.1.2: output units = slope · stored value + intercept.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rescale {
    slope: f64,
    intercept: f64,
}

/// How a window spreads values over greys: PS3.3 C.11.2.1.2 and C.11.2.1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    Linear,
    LinearExact,
    Sigmoid,
}

impl GreyScale {
    pub(super) fn of(attributes: &Attributes<'_>, layout: &Layout) -> Result<Self, DecodeError> {
        let slope = attributes.decimal(tags::RESCALE_SLOPE)?;
        let intercept = attributes.decimal(tags::RESCALE_INTERCEPT)?;
        if slope == Some(0.0) {
            return Err(damaged("a rescale slope of 0"));
        }
        // Both are required of CT. A screen shot that only says CT has neither.
        let is_hounsfield = is_ct(attributes) && slope.is_some() && intercept.is_some();
        let stored = Stored {
            bits: layout.bits_stored,
            lowest_bit: layout.lowest_bit,
            signed: layout.signed,
        };
        // Their bits, whatever sign they are written with, are those of a sample at bit 0.
        let pad = |bits: u16| Stored { lowest_bit: 0, ..stored }.value(bits);
        let padding = attributes.word(tags::PIXEL_PADDING_VALUE).map(|value| {
            let limit = attributes.word(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
            let ends = [pad(value), pad(limit)];
            [ends[0].min(ends[1]), ends[0].max(ends[1])]
        });
        Ok(Self {
            stored,
            rescale: Rescale { slope: slope.unwrap_or(1.0), intercept: intercept.unwrap_or(0.0) },
            own: own_window(attributes)?,
            padding,
            inverted: layout.colours == Colours::Monochrome1,
            is_hounsfield,
        })
    }

    /// The grey of each pixel and the window it was seen through: the one asked for; for CT the
    /// lung window; the file's own; or one from the lowest to the highest value.
    pub(super) fn apply(&self, frame: &Frame, asked: Option<Window>) -> (Vec<U16>, Window) {
        let lung = self.is_hounsfield.then_some(Window::LUNG);
        let (window, curve) = asked
            .or(lung)
            .map(|window| (window, Curve::Linear))
            .or(self.own)
            .unwrap_or_else(|| (self.whole_range(&frame.samples), Curve::Linear));
        // Every pixel is one of 65,536 words.
        let table: Vec<U16> =
            (0..WORDS).map(|word| U16::new(self.grey(word as u16, window, curve))).collect();
        (frame.samples.iter().map(|word| table[usize::from(*word)]).collect(), window)
    }

    fn grey(&self, word: u16, window: Window, curve: Curve) -> u16 {
        let value = self.stored.value(word);
        if self.is_padding(value) {
            return 0;
        }
        let brightness = curve.brightness(self.rescale.apply(value), window);
        let brightness = if self.inverted { 1.0 - brightness } else { brightness };
        (brightness * f64::from(u16::MAX)).round() as u16
    }

    fn is_padding(&self, value: i32) -> bool {
        self.padding.is_some_and(|[lowest, highest]| (lowest..=highest).contains(&value))
    }

    /// A window with the lowest value as black and the highest as white.
    fn whole_range(&self, samples: &[u16]) -> Window {
        let values = samples.iter().map(|word| self.stored.value(*word));
        let shown = values.filter(|value| !self.is_padding(*value));
        let ends = shown.fold(None, |ends: Option<[i32; 2]>, value| {
            let [lowest, highest] = ends.unwrap_or([value; 2]);
            Some([lowest.min(value), highest.max(value)])
        });
        let [a, b] = ends.unwrap_or([0; 2]).map(|value| self.rescale.apply(value));
        // Where the linear curve leaves black, and where it reaches white.
        Window::new(f64::midpoint(a, b) + 0.5, (b - a).abs() + 1.0).unwrap_or(Window::LUNG)
    }
}

impl Stored {
    fn value(self, word: u16) -> i32 {
        let unused = 16 - self.bits;
        let left = (word >> self.lowest_bit) << unused;
        if self.signed { i32::from(left as i16 >> unused) } else { i32::from(left >> unused) }
    }
}

impl Rescale {
    fn apply(self, stored: i32) -> f64 {
        self.slope * f64::from(stored) + self.intercept
    }
}

impl Curve {
    /// From 0, black, to 1, white.
    fn brightness(self, value: f64, window: Window) -> f64 {
        let (centre, width) = (window.centre(), window.width());
        match self {
            // C.11.2.1.2.1, with both ends of the output at 0 and 1.
            Self::Linear => {
                let from_centre = value - (centre - 0.5);
                let half = (width - 1.0) / 2.0;
                if from_centre <= -half {
                    0.0
                } else if from_centre > half {
                    1.0
                } else {
                    from_centre / (width - 1.0) + 0.5
                }
            }
            Self::LinearExact => ((value - centre) / width + 0.5).clamp(0.0, 1.0),
            Self::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - centre) / width).exp()),
        }
    }
}

fn is_ct(attributes: &Attributes<'_>) -> bool {
    let class = attributes.text(tags::SOP_CLASS_UID);
    let by_class = class
        .is_some_and(|it| it == uids::CT_IMAGE_STORAGE || it == uids::ENHANCED_CT_IMAGE_STORAGE);
    by_class || attributes.text(tags::MODALITY).is_some_and(|modality| modality == "CT")
}

/// The first window of the file. One that is too narrow for the linear curve counts as none.
fn own_window(attributes: &Attributes<'_>) -> Result<Option<(Window, Curve)>, DecodeError> {
    let centre = attributes.decimal(tags::WINDOW_CENTER)?;
    let width = attributes.decimal(tags::WINDOW_WIDTH)?;
    let curve = match attributes.text(tags::VOILUT_FUNCTION).as_deref() {
        Some("LINEAR_EXACT") => Curve::LinearExact,
        Some("SIGMOID") => Curve::Sigmoid,
        _ => Curve::Linear,
    };
    let window = centre.zip(width).and_then(|(centre, width)| Window::new(centre, width).ok());
    Ok(window.map(|window| (window, curve)))
}
