//! The first frame of a DICOM file: how it is stored, and its samples without their compression.

use std::borrow::Cow;

use dicom_dictionary_std::{tags, uids};
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};

use super::attributes::{Attributes, EXPLICIT_VR_BIG_ENDIAN, PixelData};
use super::{damaged, jpeg, jpeg2000, rle, truncated, unsupported};
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
    /// Bits of a sample that count, 1 to 16.
    pub(super) bits_stored: u16,
    /// How far those bits are from the lowest one.
    pub(super) lowest_bit: u16,
    pub(super) signed: bool,
    /// Each colour by itself, and not pixel by pixel.
    planar: bool,
}

/// What the samples of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// Grey; the lowest value is black.
    Monochrome2,
    /// Grey; the lowest value is white.
    Monochrome1,
    Rgb,
    /// Luminance and chrominance; of half the width (4:2:2) only where JPEG says so itself.
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
        let frames = attributes.decimal(tags::NUMBER_OF_FRAMES)?.unwrap_or(1.0);
        Ok(Self {
            columns,
            rows,
            // What is below 1 means 1, as in files that say 0.
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

/// The samples of the first frame, pixel by pixel, as they are stored: bits that do not count
/// included, one byte widened to a word.
pub(super) struct Frame {
    pub(super) samples: Vec<u16>,
    /// As [`Layout`] has them, but for what a codec changed.
    pub(super) layout: Layout,
}

impl Frame {
    /// Decompresses the first frame. No codec gives more samples than `layout` announces.
    pub(super) fn first(
        attributes: &Attributes<'_>,
        mut layout: Layout,
    ) -> Result<Self, DecodeError> {
        let syntax = attributes.transfer_syntax.as_str();
        let samples = match (syntax, &attributes.pixels) {
            (_, None) => return Err(truncated()),
            (
                uids::IMPLICIT_VR_LITTLE_ENDIAN
                | uids::EXPLICIT_VR_LITTLE_ENDIAN
                | uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
                | EXPLICIT_VR_BIG_ENDIAN,
                Some(PixelData::Native { range, in_words }),
            ) => {
                if attributes.text(tags::PHOTOMETRIC_INTERPRETATION).as_deref()
                    == Some("YBR_FULL_422")
                {
                    return Err(unsupported("YBR_FULL_422 without JPEG"));
                }
                let bytes = attributes.bytes(range);
                if attributes.big_endian && *in_words && layout.bytes_per_sample == 1 {
                    native(&swapped(bytes), &layout, true)?
                } else {
                    native(bytes, &layout, attributes.big_endian)?
                }
            }
            (_, Some(PixelData::Native { .. })) => {
                return Err(damaged("compressed pixels are not in fragments"));
            }
            (uids::RLE_LOSSLESS, Some(data)) => {
                let planes = rle::decode(&first_frame(attributes, data, layout.frames)?, &layout)?;
                interleave(planes, &Layout { planar: true, ..layout })
            }
            (
                uids::JPEG_BASELINE8_BIT
                | uids::JPEG_EXTENDED12_BIT
                | uids::JPEG_LOSSLESS
                | uids::JPEG_LOSSLESS_SV1,
                Some(data),
            ) => {
                let samples =
                    jpeg::decode(&first_frame(attributes, data, layout.frames)?, &layout)?;
                if layout.colours == Colours::Ybr {
                    layout.colours = Colours::Rgb;
                }
                layout.lowest_bit = 0;
                samples
            }
            (uids::JPEG2000_LOSSLESS | uids::JPEG2000, Some(data)) => {
                let frame = first_frame(attributes, data, layout.frames)?;
                layout.lowest_bit = 0;
                jpeg2000::decode(&frame, &layout)?
            }
            (syntax, Some(_)) => {
                let name = TransferSyntaxRegistry.get(syntax).map_or("", |known| known.name());
                return Err(unsupported(format!("{name} compression ({syntax})")));
            }
        };
        Ok(Self { samples, layout })
    }
}

/// The coded bytes of the first frame, which may lie in several fragments: DICOM PS3.5 A.4.
fn first_frame<'a>(
    attributes: &'a Attributes<'_>,
    data: &PixelData,
    frames: usize,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let PixelData::Encapsulated { offsets, fragments } = data else { return Err(truncated()) };
    /// Each fragment follows the eight bytes of its item, which offsets count too.
    const ITEM_HEADER: usize = 8;
    let second = attributes.bytes(offsets).get(4..8).and_then(|bytes| bytes.first_chunk::<4>());
    let fragments = match (fragments.as_slice(), second) {
        ([], _) => return Err(damaged("its pixel data is empty")),
        ([only], _) => std::slice::from_ref(only),
        (all, Some(second)) => {
            let second = u32::from_le_bytes(*second) as usize;
            let mut at = 0;
            let of_first = all.iter().take_while(|fragment| {
                let is_before = at < second;
                at += ITEM_HEADER + fragment.len();
                is_before
            });
            &all[..of_first.count().max(1)]
        }
        (all, None) if all.len() == frames => &all[..1],
        // One frame, or several of which none says where it ends: decoders stop at its end.
        (all, None) => all,
    };
    Ok(match fragments {
        [only] => attributes.bytes(only).into(),
        several => {
            several.iter().flat_map(|it| attributes.bytes(it)).copied().collect::<Vec<u8>>().into()
        }
    })
}

fn native(bytes: &[u8], layout: &Layout, big_endian: bool) -> Result<Vec<u16>, DecodeError> {
    let needed = layout.samples() * layout.bytes_per_sample;
    let Some(bytes) = bytes.get(..needed) else {
        return Err(damaged(format!("{} bytes of pixels where {needed} are due", bytes.len())));
    };
    let samples = match layout.bytes_per_sample {
        1 => bytes.iter().copied().map(u16::from).collect(),
        _ => {
            let word = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
            bytes.as_chunks().0.iter().copied().map(word).collect()
        }
    };
    Ok(interleave(samples, layout))
}

/// Bytes in words of the other order.
fn swapped(bytes: &[u8]) -> Vec<u8> {
    bytes.as_chunks().0.iter().flat_map(|[high, low]| [*low, *high]).collect()
}

/// Colour planes become pixels.
fn interleave(samples: Vec<u16>, layout: &Layout) -> Vec<u16> {
    if !layout.planar || layout.colours.samples() == 1 {
        return samples;
    }
    let pixels = layout.pixels();
    let [red, green, blue] = [0, 1, 2].map(|plane| &samples[plane * pixels..(plane + 1) * pixels]);
    red.iter().zip(green).zip(blue).flat_map(|((r, g), b)| [*r, *g, *b]).collect()
}
