//! The first frame of a DICOM file: how it is stored, and its samples without their compression.

use std::borrow::Cow;
use std::ops::Range;

use dicom_dictionary_std::{tags, uids};
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};

use super::attributes::{Attributes, EXPLICIT_VR_BIG_ENDIAN, PixelData, Place};
use super::codestream::Codestream;
use super::{damaged, jpeg, jpeg2000, rle, truncated, unclear, unsupported};
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
        // Where it is no number, the first frame is the only one that is known of.
        let frames = attributes.decimal(tags::NUMBER_OF_FRAMES).unwrap_or_default().unwrap_or(1.0);
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

/// The ways in which a frame may be compressed that are read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    RunLength,
    Jpeg,
    Jpeg2000,
}

impl Codec {
    /// The codec of a transfer syntax; `None` where it compresses nothing.
    fn of(syntax: &str) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match syntax {
            uids::IMPLICIT_VR_LITTLE_ENDIAN
            | uids::EXPLICIT_VR_LITTLE_ENDIAN
            | uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
            | EXPLICIT_VR_BIG_ENDIAN => return Ok(None),
            uids::RLE_LOSSLESS => Self::RunLength,
            uids::JPEG_BASELINE8_BIT
            | uids::JPEG_EXTENDED12_BIT
            | uids::JPEG_LOSSLESS
            | uids::JPEG_LOSSLESS_SV1 => Self::Jpeg,
            uids::JPEG2000_LOSSLESS | uids::JPEG2000 => Self::Jpeg2000,
            other => {
                let name = TransferSyntaxRegistry.get(other).map_or("", |known| known.name());
                return Err(unsupported(format!("{name} compression ({other})")));
            }
        }))
    }

    /// The codec that the first bytes of a frame belong to, where a transfer syntax says another.
    fn seen(self, frame: &[u8]) -> Self {
        match frame {
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            _ if Codestream::starts(frame) => Self::Jpeg2000,
            _ => self,
        }
    }
}

impl Frame {
    /// Decompresses the first frame. No codec gives more samples than `layout` announces.
    pub(super) fn first(
        attributes: &Attributes<'_>,
        mut layout: Layout,
        max_pixels: u64,
    ) -> Result<Self, DecodeError> {
        let codec = Codec::of(&attributes.transfer_syntax)?;
        let samples = match (codec, &attributes.pixels) {
            (_, None) => return Err(truncated()),
            (None, Some(PixelData::Native { range, in_words })) => {
                uncompressed(attributes, range, *in_words, &layout)?
            }
            (Some(_), Some(PixelData::Native { .. })) => {
                return Err(damaged("compressed pixels are not in fragments"));
            }
            (None, Some(PixelData::Encapsulated { .. })) => {
                return Err(unclear(format!(
                    "its pixels are in fragments, as compressed ones are, and its transfer syntax \
                     ({}) says that they are not compressed",
                    attributes.transfer_syntax
                )));
            }
            (Some(codec), Some(data)) => {
                let frame = first_frame(attributes, data, layout.frames)?;
                match codec.seen(&frame) {
                    Codec::RunLength => {
                        let planes = rle::decode(&frame, &layout)?;
                        interleave(planes, &Layout { planar: true, ..layout })
                    }
                    Codec::Jpeg => {
                        let samples = jpeg::decode(&frame, &layout, max_pixels)?;
                        if layout.colours == Colours::Ybr {
                            layout.colours = Colours::Rgb;
                        }
                        layout.lowest_bit = 0;
                        samples
                    }
                    Codec::Jpeg2000 => {
                        layout.lowest_bit = 0;
                        jpeg2000::decode(&frame, &layout)?
                    }
                }
            }
        };
        Ok(Self { samples, layout })
    }
}

fn uncompressed(
    attributes: &Attributes<'_>,
    range: &Range<usize>,
    in_words: bool,
    layout: &Layout,
) -> Result<Vec<u16>, DecodeError> {
    if attributes.text(tags::PHOTOMETRIC_INTERPRETATION).as_deref() == Some("YBR_FULL_422") {
        return Err(unsupported("YBR_FULL_422 without JPEG"));
    }
    let bytes = attributes.bytes(range);
    if attributes.big_endian && in_words && layout.bytes_per_sample == 1 {
        native(&swapped(bytes), layout, true)
    } else {
        native(bytes, layout, attributes.big_endian)
    }
}

/// The coded bytes of the first frame, which may lie in several fragments: DICOM PS3.5 A.4.
fn first_frame<'a>(
    attributes: &'a Attributes<'_>,
    data: &PixelData,
    frames: usize,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let PixelData::Encapsulated { offsets, fragments, ended } = data else {
        return Err(truncated());
    };
    if fragments.is_empty() {
        return Err(if *ended { damaged("its pixel data is empty") } else { truncated() });
    }
    // A file that ends without the delimiter may have lost frames; then it has lost its end.
    if !ended && fragments.len() < frames {
        return Err(truncated());
    }
    /// Each fragment follows the eight bytes of its item, which offsets count too.
    const ITEM_HEADER: usize = 8;
    let fragments = match (fragments.as_slice(), second_offset(attributes, offsets)) {
        ([only], _) => std::slice::from_ref(only),
        (all, Some(second)) => {
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

/// Where the second frame starts, from the start of the first: of the basic offset table, or of
/// the extended one with its eight bytes a number (PS3.3 C.7.6.3.1.8).
fn second_offset(attributes: &Attributes<'_>, offsets: &Range<usize>) -> Option<usize> {
    let basic = attributes.bytes(offsets).get(4..8).and_then(|bytes| bytes.first_chunk::<4>());
    if let Some(second) = basic {
        return Some(u32::from_le_bytes(*second) as usize);
    }
    let (extended, _) = attributes.value_at(Place::File, tags::EXTENDED_OFFSET_TABLE)?;
    usize::try_from(u64::from_le_bytes(*extended.get(8..16)?.first_chunk::<8>()?)).ok()
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
