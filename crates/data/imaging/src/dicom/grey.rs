//! Turns stored values into grey: rescaled, and through a window.

use dicom_dictionary_std::{tags, uids};
use fast_image_resize::pixels::U16;

use super::attributes::Attributes;
use super::frame::Frame;
use super::layout::{Colours, Layout};
use super::lut::Lut;
use super::place::{Place, name_of};
use super::refusal::{damaged, unclear, unsupported};
use crate::{DecodeError, SeenThrough, Window};

/// Number of possible words for a sample.
const WORDS: usize = 1 << 16;

/// From stored bits to grey, in the steps of DICOM PS3.3 C.11.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GreyScale {
    stored: Stored,
    modality: Modality,
    seen: Option<Seen>,
    through: SeenThrough,
    padding: Option<[i32; 2]>,
    inverted: bool,
}

/// From stored values to the device's values: PS3.3 C.11.1.
#[derive(Debug, Clone, PartialEq)]
enum Modality {
    Rescale(Rescale),
    Lut(Lut),
}

/// From the device's values to brightness: PS3.3 C.11.2.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Window(Window, Curve),
    Lut(Lut),
}

/// Which bits of a word are used, and whether they have a sign.
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

/// How a window maps values to greys: PS3.3 C.11.2.1.2 and C.11.2.1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    Linear,
    LinearExact,
    Sigmoid,
}

impl GreyScale {
    /// The window or table in use: the requested window; for CT the lung window; the file's own
    /// table or window; or a window from the lowest to the highest value. Only the one in use is
    /// read.
    pub(super) fn of(
        attributes: &Attributes<'_>,
        layout: &Layout,
        asked: Option<Window>,
    ) -> Result<Self, DecodeError> {
        refuse_presentation(attributes, layout)?;
        let (modality, is_hounsfield) = modality(attributes, layout, asked.is_some())?;
        let (seen, through) = if let Some(window) = asked {
            (Some(Seen::Window(window, Curve::Linear)), SeenThrough::Asked)
        } else if is_hounsfield {
            (Some(Seen::Window(Window::LUNG, Curve::Linear)), SeenThrough::Lung)
        } else if let Some(lut) = Lut::of(attributes, Place::VoiLut, layout.signed)? {
            (Some(Seen::Lut(lut)), SeenThrough::OwnTable)
        } else if let Some((window, curve)) = own_window(attributes)? {
            (Some(Seen::Window(window, curve)), SeenThrough::OwnWindow)
        } else {
            (None, SeenThrough::WholeRange)
        };
        let stored = Stored {
            bits: layout.bits_stored,
            lowest_bit: layout.lowest_bit,
            signed: layout.signed,
        };
        // Whatever sign they are written with, their bits are those of a sample at bit 0.
        let pad = |bits: u16| Stored { lowest_bit: 0, ..stored }.value(bits);
        let padding = attributes.word(tags::PIXEL_PADDING_VALUE).map(|value| {
            let limit = attributes.word(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
            let ends = [pad(value), pad(limit)];
            [ends[0].min(ends[1]), ends[0].max(ends[1])]
        });
        let inverted = layout.colours == Colours::Monochrome1;
        Ok(Self { stored, modality, seen, through, padding, inverted })
    }

    /// The same for samples that a codec stored at other bits than the file states.
    pub(super) fn of_layout(&self, layout: &Layout) -> Self {
        let stored = Stored { lowest_bit: layout.lowest_bit, ..self.stored };
        Self { stored, ..self.clone() }
    }

    /// The source of the window or table in use.
    pub(super) fn through(&self) -> SeenThrough {
        self.through
    }

    /// The grey of each pixel, and the window if one was used.
    pub(super) fn apply(&self, frame: &Frame) -> (Vec<U16>, Option<Window>) {
        let whole = || Seen::Window(self.whole_range(&frame.samples), Curve::Linear);
        let seen = self.seen.clone().unwrap_or_else(whole);
        // Every pixel is one of 65,536 words.
        let table: Vec<U16> =
            (0..WORDS).map(|word| U16::new(self.grey(word as u16, &seen))).collect();
        let grey = frame.samples.iter().map(|word| table[usize::from(*word)]).collect();
        let window = match seen {
            Seen::Window(window, _) => Some(window),
            Seen::Lut(_) => None,
        };
        (grey, window)
    }

    fn grey(&self, word: u16, seen: &Seen) -> u16 {
        let value = self.stored.value(word);
        if self.is_padding(value) {
            return 0;
        }
        let value = self.modality.apply(value);
        let brightness = match seen {
            Seen::Window(window, curve) => curve.brightness(value, *window),
            Seen::Lut(lut) => lut.brightness(value),
        };
        let brightness = if self.inverted { 1.0 - brightness } else { brightness };
        (brightness * f64::from(u16::MAX)).round() as u16
    }

    fn is_padding(&self, value: i32) -> bool {
        self.padding.is_some_and(|[lowest, highest]| (lowest..=highest).contains(&value))
    }

    /// A window with the lowest value as black and the highest as white.
    fn whole_range(&self, samples: &[u16]) -> Window {
        let mut is_there = vec![false; WORDS];
        samples.iter().for_each(|word| is_there[usize::from(*word)] = true);
        let stored = (0..WORDS).filter(|word| is_there[*word]);
        let stored = stored.map(|word| self.stored.value(word as u16));
        let values = stored.filter(|value| !self.is_padding(*value));
        let [a, b] = values
            .map(|value| self.modality.apply(value))
            .map(|value| [value; 2])
            .reduce(|[low, high], [value, _]| [low.min(value), high.max(value)])
            .unwrap_or([0.0; 2]);
        // The values where the linear curve leaves black and reaches white.
        Window::new(f64::midpoint(a, b) + 0.5, b - a + 1.0).unwrap_or(Window::LUNG)
    }
}

impl Modality {
    fn apply(&self, stored: i32) -> f64 {
        match self {
            Self::Rescale(Rescale { slope, intercept }) => slope * f64::from(stored) + intercept,
            Self::Lut(lut) => lut.at(f64::from(stored)).into(),
        }
    }
}

impl Stored {
    fn value(self, word: u16) -> i32 {
        let unused = 16 - self.bits;
        let left = (word >> self.lowest_bit) << unused;
        if self.signed { i32::from(left as i16 >> unused) } else { i32::from(left >> unused) }
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

/// How to interpret stored values, and whether they become Hounsfield units.
fn modality(
    attributes: &Attributes<'_>,
    layout: &Layout,
    is_asked: bool,
) -> Result<(Modality, bool), DecodeError> {
    let is_hounsfield = |unit: Option<String>, missing| {
        is_ct(attributes) && unit.map_or(missing, |unit| unit.eq_ignore_ascii_case("HU"))
    };
    if let Some(lut) = Lut::of(attributes, Place::ModalityLut, layout.signed)? {
        let unit = attributes.text_at(Place::ModalityLut, tags::MODALITY_LUT_TYPE);
        return Ok((Modality::Lut(lut), is_hounsfield(unit, false)));
    }
    let is_own = [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT]
        .iter()
        .any(|tag| attributes.has(Place::File, *tag));
    let place = if is_own { Place::File } else { Place::Transformation };
    let slope = attributes.decimal_at(place, tags::RESCALE_SLOPE)?;
    let intercept = attributes.decimal_at(place, tags::RESCALE_INTERCEPT)?;
    if slope == Some(0.0) {
        return Err(damaged("a rescale slope of 0"));
    }
    let are_there = slope.is_some() && intercept.is_some();
    if !are_there && !is_asked {
        refuse_scan_without_units(attributes, slope.is_none())?;
    }
    let unit = attributes.text_at(place, tags::RESCALE_TYPE);
    let rescale = Rescale { slope: slope.unwrap_or(1.0), intercept: intercept.unwrap_or(0.0) };
    Ok((Modality::Rescale(rescale), are_there && is_hounsfield(unit, true)))
}

/// CT images must have both numbers. A screen shot with modality CT has neither. Among slices in
/// Hounsfield units, a slice without them would be a different picture for the same values.
fn refuse_scan_without_units(
    attributes: &Attributes<'_>,
    is_slope: bool,
) -> Result<(), DecodeError> {
    let class = attributes.text(tags::SOP_CLASS_UID).unwrap_or_default();
    if !CT_IMAGES.contains(&class.as_str()) {
        return Ok(());
    }
    let missing = if is_slope { tags::RESCALE_SLOPE } else { tags::RESCALE_INTERCEPT };
    Err(unclear(format!(
        "CT without {}, so that its Hounsfield units are not known",
        name_of(missing)
    )))
}

/// PS3.3 C.11.6: the photometric interpretation must agree, or one of them is wrong.
fn refuse_presentation(attributes: &Attributes<'_>, layout: &Layout) -> Result<(), DecodeError> {
    let shape = attributes.text(tags::PRESENTATION_LUT_SHAPE);
    let is_inverse = match shape.as_deref() {
        Some("INVERSE") => true,
        Some("IDENTITY") => false,
        _ => return Ok(()),
    };
    if is_inverse == (layout.colours == Colours::Monochrome1) {
        return Ok(());
    }
    let photometric = if is_inverse { "MONOCHROME2" } else { "MONOCHROME1" };
    Err(unclear(format!(
        "{} is {}, and the photometric interpretation {photometric} says the opposite",
        name_of(tags::PRESENTATION_LUT_SHAPE),
        shape.unwrap_or_default()
    )))
}

/// CT, enhanced CT, and enhanced CT that was converted from CT (1.2.840.10008.5.1.4.1.1.2.2).
const CT_IMAGES: [&str; 3] = [
    uids::CT_IMAGE_STORAGE,
    uids::ENHANCED_CT_IMAGE_STORAGE,
    uids::LEGACY_CONVERTED_ENHANCED_CT_IMAGE_STORAGE,
];

fn is_ct(attributes: &Attributes<'_>) -> bool {
    let is = |tag, wanted: &[&str]| {
        attributes.text(tag).is_some_and(|text| wanted.contains(&text.as_str()))
    };
    is(tags::SOP_CLASS_UID, &CT_IMAGES) || is(tags::MODALITY, &["CT"])
}

/// The first window of the file, or of its functional groups.
fn own_window(attributes: &Attributes<'_>) -> Result<Option<(Window, Curve)>, DecodeError> {
    let is_own = attributes.has(Place::File, tags::WINDOW_CENTER);
    let place = if is_own { Place::File } else { Place::FrameVoi };
    let centre = attributes.decimal_at(place, tags::WINDOW_CENTER)?;
    let width = attributes.decimal_at(place, tags::WINDOW_WIDTH)?;
    let Some((centre, width)) = centre.zip(width) else { return Ok(None) };
    let named = attributes.text_at(place, tags::VOILUT_FUNCTION);
    let (curve, narrowest) = match named.as_deref() {
        None | Some("LINEAR") => (Curve::Linear, "at least 1"),
        Some("LINEAR_EXACT") => (Curve::LinearExact, "more than 0"),
        Some("SIGMOID") => (Curve::Sigmoid, "more than 0"),
        Some(other) => {
            return Err(unsupported(format!("{} {other}", name_of(tags::VOILUT_FUNCTION))));
        }
    };
    let window = match curve {
        Curve::Linear => Window::new(centre, width).ok(),
        Curve::LinearExact | Curve::Sigmoid => Window::of_any_width(centre, width),
    };
    let window = window.ok_or_else(|| {
        unclear(format!("{} is {width}, and has to be {narrowest}", name_of(tags::WINDOW_WIDTH)))
    })?;
    Ok(Some((window, curve)))
}
