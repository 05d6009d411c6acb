//! The first frame of a DICOM file: its samples without their compression.

use std::borrow::Cow;
use std::ops::Range;

use dicom_dictionary_std::{tags, uids};
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};

use super::attributes::Attributes;
use super::codestream::Codestream;
use super::layout::{Colours, Layout};
use super::meta::EXPLICIT_VR_BIG_ENDIAN;
use super::place::{PixelData, Place};
use super::refusal::{damaged, truncated, unclear, unsupported};
use super::{jpeg, jpeg2000, rle};
use crate::DecodeError;

/// The samples of the first frame, pixel by pixel, as they are stored: including unused bits, with
/// bytes widened to words.
pub(super) struct Frame {
    pub(super) samples: Vec<u16>,
    /// As in [`Layout`], except for the codec's changes.
    pub(super) layout: Layout,
}

/// The supported compressions of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    RunLength,
    Jpeg,
    Jpeg2000,
}

impl Codec {
    /// The codec of a transfer syntax; `None` if it has no compression.
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

    /// The codec that the first bytes of a frame belong to, if it differs from the transfer syntax.
    fn seen(self, frame: &[u8]) -> Self {
        match frame {
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            _ if Codestream::starts(frame) => Self::Jpeg2000,
            _ => self,
        }
    }
}

impl Frame {
    /// Decompresses the first frame. No codec returns more samples than `layout` announces.
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

/// The coded bytes of the first frame, which may be in several fragments: DICOM PS3.5 A.4.
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
    // A file without the final delimiter may have lost frames, and counts as cut.
    if !ended && fragments.len() < frames {
        return Err(truncated());
    }
    /// Each fragment follows the eight bytes of its item, which the offsets include.
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
        // One frame, or several without offsets: the decoder stops at the end of the first.
        (all, None) => all,
    };
    Ok(match fragments {
        [only] => attributes.bytes(only).into(),
        several => {
            several.iter().flat_map(|it| attributes.bytes(it)).copied().collect::<Vec<u8>>().into()
        }
    })
}

/// The start of the second frame, relative to the first: from the basic offset table, or from the
/// extended one with eight bytes a number (PS3.3 C.7.6.3.1.8).
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

/// Words with their bytes exchanged.
fn swapped(bytes: &[u8]) -> Vec<u8> {
    bytes.as_chunks().0.iter().flat_map(|[high, low]| [*low, *high]).collect()
}

/// Turns colour planes into pixels.
fn interleave(samples: Vec<u16>, layout: &Layout) -> Vec<u16> {
    if !layout.planar || layout.colours.samples() == 1 {
        return samples;
    }
    let pixels = layout.pixels();
    let [red, green, blue] = [0, 1, 2].map(|plane| &samples[plane * pixels..(plane + 1) * pixels]);
    red.iter().zip(green).zip(blue).flat_map(|((r, g), b)| [*r, *g, *b]).collect()
}
