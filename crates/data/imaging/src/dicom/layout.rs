//! How the samples of a DICOM file are stored.

use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::refusal::{damaged, unsupported};
use crate::{DecodeError, PictureFormat};

/// How the samples are stored: DICOM PS3.3 C.7.6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) columns: u16,
    pub(super) rows: u16,
    pub(super) frames: usize,
    pub(super) colours: Colours,
    /// One byte a sample, or two.
    pub(super) bytes_per_sample: usize,
    /// Bits of a sample that are used, 1 to 16.
    pub(super) bits_stored: u16,
    /// Position of the lowest of those bits.
    pub(super) lowest_bit: u16,
    pub(super) signed: bool,
    /// Each colour as a plane, and not pixel by pixel.
    pub(super) planar: bool,
}

/// The meaning of a pixel's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// Grey; the lowest value is black.
    Monochrome2,
    /// Grey; the lowest value is white.
    Monochrome1,
    Rgb,
    /// Luminance and chrominance; of half the width (4:2:2) only if the JPEG itself says so.
    Ybr,
}

impl Colours {
    pub(super) fn samples(self) -> usize {
        match self {
            Self::Monochrome1 | Self::Monochrome2 => 1,
            Self::Rgb | Self::Ybr => 3,
        }
    }
}

impl Layout {
    pub(super) fn of(attributes: &Attributes<'_>, max_pixels: u64) -> Result<Self, DecodeError> {
        let rows = attributes.required_word(tags::ROWS)?;
        let columns = attributes.required_word(tags::COLUMNS)?;
        let (width, height) = (u32::from(columns), u32::from(rows));
        let format = PictureFormat::Dicom;
        if rows == 0 || columns == 0 {
            return Err(DecodeError::NoPixels { format, width, height });
        }
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(DecodeError::TooLarge { format, width, height, max_pixels });
        }
        let colours = colours_of(attributes)?;
        let bits_allocated = attributes.required_word(tags::BITS_ALLOCATED)?;
        if !matches!(bits_allocated, 8 | 16) {
            return Err(unsupported(format!("{bits_allocated} bits a sample")));
        }
        let bits_stored = attributes.word(tags::BITS_STORED).unwrap_or(bits_allocated);
        let highest_bit = attributes.word(tags::HIGH_BIT).unwrap_or(bits_stored.wrapping_sub(1));
        if !(1..=bits_allocated).contains(&bits_stored)
            || !(bits_stored - 1..bits_allocated).contains(&highest_bit)
        {
            return Err(damaged(format!(
                "{bits_stored} bits up to bit {highest_bit} of {bits_allocated}"
            )));
        }
        if colours == Colours::Ybr && bits_stored > 8 {
            return Err(unsupported(format!("YBR of {bits_stored} bits")));
        }
        // If it is not a number, only the first frame is known to exist.
        let frames = attributes.decimal(tags::NUMBER_OF_FRAMES).unwrap_or_default().unwrap_or(1.0);
        Ok(Self {
            columns,
            rows,
            // Values below 1 mean 1, as in files with 0.
            frames: frames.max(1.0) as usize,
            colours,
            bytes_per_sample: usize::from(bits_allocated / 8),
            bits_stored,
            lowest_bit: highest_bit + 1 - bits_stored,
            signed: attributes.word(tags::PIXEL_REPRESENTATION) == Some(1),
            planar: attributes.word(tags::PLANAR_CONFIGURATION) == Some(1),
        })
    }

    pub(super) fn pixels(&self) -> usize {
        usize::from(self.columns) * usize::from(self.rows)
    }

    pub(super) fn samples(&self) -> usize {
        self.pixels() * self.colours.samples()
    }
}

fn colours_of(attributes: &Attributes<'_>) -> Result<Colours, DecodeError> {
    let samples = attributes.word(tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    let named = attributes.text(tags::PHOTOMETRIC_INTERPRETATION);
    let colours = match named.as_deref() {
        // Some old files leave it out.
        None if samples == 1 => Colours::Monochrome2,
        None => return Err(damaged("its photometric interpretation is missing")),
        Some("MONOCHROME1") => Colours::Monochrome1,
        Some("MONOCHROME2") => Colours::Monochrome2,
        // JPEG 2000 undoes these transforms itself.
        Some("RGB" | "YBR_RCT" | "YBR_ICT") => Colours::Rgb,
        Some("YBR_FULL" | "YBR_FULL_422") => Colours::Ybr,
        Some(other) => return Err(unsupported(format!("photometric interpretation {other}"))),
    };
    if usize::from(samples) != colours.samples() {
        let named = named.unwrap_or_default();
        return Err(damaged(format!("{samples} samples a pixel of {named}")));
    }
    Ok(colours)
}
