//! The first directory of a TIFF (TIFF 6.0; `BigTIFF` too), read before its decoder starts: that
//! decoder ignores some tags that change the picture.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::jpeg::Markers;
use crate::limits::{FEW_TIFF_CHUNKS, LEAST_TIFF_TILE_PIXELS};
use crate::{DecodeError, PictureFormat};

/// A file in a form that its decoder reads correctly.
pub(crate) struct Prepared<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Colours are multiplied with alpha: `ExtraSamples` 1.
    pub(crate) premultiplied: bool,
}

mod tag {
    pub(super) const WIDTH: u16 = 256;
    pub(super) const HEIGHT: u16 = 257;
    pub(super) const BITS_PER_SAMPLE: u16 = 258;
    pub(super) const COMPRESSION: u16 = 259;
    pub(super) const PHOTOMETRIC: u16 = 262;
    pub(super) const FILL_ORDER: u16 = 266;
    pub(super) const STRIP_OFFSETS: u16 = 273;
    pub(super) const SAMPLES_PER_PIXEL: u16 = 277;
    pub(super) const ROWS_PER_STRIP: u16 = 278;
    pub(super) const STRIP_BYTE_COUNTS: u16 = 279;
    pub(super) const PLANAR_CONFIGURATION: u16 = 284;
    pub(super) const TILE_WIDTH: u16 = 322;
    pub(super) const TILE_LENGTH: u16 = 323;
    pub(super) const TILE_OFFSETS: u16 = 324;
    pub(super) const TILE_BYTE_COUNTS: u16 = 325;
    pub(super) const INK_SET: u16 = 332;
    pub(super) const EXTRA_SAMPLES: u16 = 338;
    pub(super) const SAMPLE_FORMAT: u16 = 339;
}

const LZW: u64 = 5;
const JPEG: u64 = 7;

/// Whether coded bytes start with the code that clears the table, 256, from the lowest bit on:
/// programs wrote it so before TIFF 6.0, and libtiff recognises it the same way.
fn is_old_lzw(bytes: &[u8]) -> impl Fn(&Range<usize>) -> bool {
    |chunk| matches!(bytes[chunk.clone()], [0, second, ..] if second & 1 == 1)
}

/// Checks the first directory of a file. A directory that cannot be read is left to the decoder.
///
/// # Errors
/// When the picture is of a kind that would be decoded wrongly, or costs more than its size
/// explains.
pub(crate) fn prepare(bytes: &[u8], max_pixels: u64) -> Result<Prepared<'_>, DecodeError> {
    let Some(directory) = Directory::first(bytes) else {
        return Ok(Prepared { bytes: bytes.into(), premultiplied: false });
    };
    if let Some(reason) = directory.unsupported() {
        return Err(DecodeError::Unsupported { format: PictureFormat::Tiff, reason });
    }
    let chunks = directory.chunks();
    if directory.number(tag::COMPRESSION, 1) == LZW && chunks.first().is_some_and(is_old_lzw(bytes))
    {
        let reason = "LZW with its bits in the order of old programs".to_owned();
        return Err(DecodeError::Unsupported { format: PictureFormat::Tiff, reason });
    }
    if let Some(reason) = directory.excess(&chunks, max_pixels) {
        return Err(DecodeError::TooCostly { format: PictureFormat::Tiff, reason });
    }
    // The bits of each byte are in reverse order. JPEG in TIFF has its own order.
    let reversed =
        directory.number(tag::FILL_ORDER, 1) == 2 && directory.number(tag::COMPRESSION, 1) != JPEG;
    Ok(Prepared {
        bytes: if reversed { with_bits_reversed(bytes, &chunks)?.into() } else { bytes.into() },
        premultiplied: directory.number(tag::EXTRA_SAMPLES, 0) == 1,
    })
}

/// The tags of a directory: numbers by their tag.
struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// Tag, bytes of a number, how many of them, and where they start.
    entries: Vec<(u16, usize, usize, usize)>,
}

impl<'a> Directory<'a> {
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = bytes.starts_with(b"MM");
        let mut directory = Self { bytes, big_endian, entries: Vec::new() };
        let is_big = directory.integer(2, 2)? == 43;
        // Sizes of an offset, of the count of entries, and of an entry.
        let (offset, count, entry) = if is_big { (8, 8, 20) } else { (4, 2, 12) };
        let start = usize::try_from(directory.integer(if is_big { 8 } else { 4 }, offset)?).ok()?;
        let entries = usize::try_from(directory.integer(start, count)?).ok()?;
        for number in 0..entries {
            let at = start.checked_add(count)?.checked_add(number.checked_mul(entry)?)?;
            let tag = u16::try_from(directory.integer(at, 2)?).ok()?;
            // BYTE, SHORT, LONG and LONG8; no tag that is needed has another type.
            let size = match directory.integer(at + 2, 2)? {
                1 => 1,
                3 => 2,
                4 => 4,
                16 => 8,
                _ => continue,
            };
            let many = usize::try_from(directory.integer(at + 4, offset)?).ok()?;
            let value_at = at + 4 + offset;
            // If there are few numbers, the entry itself holds them.
            let values_at = if many.checked_mul(size)? <= offset {
                value_at
            } else {
                usize::try_from(directory.integer(value_at, offset)?).ok()?
            };
            directory.entries.push((tag, size, many, values_at));
        }
        Some(directory)
    }

    fn integer(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        })
    }

    /// All numbers of a tag that are inside the file.
    fn numbers(&self, tag: u16) -> Vec<u64> {
        let entry = self.entries.iter().find(|(of, ..)| *of == tag);
        let Some((_, size, many, at)) = entry else { return Vec::new() };
        (0..*many).map_while(|number| self.integer(at + number * size, *size)).collect()
    }

    /// The first number of a tag, or `missing` if there is none.
    fn number(&self, tag: u16, missing: u64) -> u64 {
        let entry = self.entries.iter().find(|(of, _, many, _)| *of == tag && *many > 0);
        entry.and_then(|(_, size, _, at)| self.integer(*at, *size)).unwrap_or(missing)
    }

    fn is_tiled(&self) -> bool {
        self.entries.iter().any(|(of, ..)| *of == tag::TILE_OFFSETS)
    }

    /// A kind of picture that the decoder does not know, or would misread.
    fn unsupported(&self) -> Option<String> {
        let samples = self.number(tag::SAMPLES_PER_PIXEL, 1);
        if let Some(format) = self.numbers(tag::SAMPLE_FORMAT).into_iter().find(|it| *it != 1) {
            let kind = match format {
                2 => "signed",
                3 => "floating-point",
                4 => "undefined",
                _ => "complex or unknown",
            };
            return Some(format!("{kind} samples (SampleFormat {format})"));
        }
        let photometric = self.number(tag::PHOTOMETRIC, 1);
        let named = match photometric {
            0..=2 | 5 => None,
            3 => Some("a palette"),
            4 => Some("a transparency mask"),
            6 => Some("luminance and chrominance"),
            8..=10 => Some("CIE L*a*b* colours"),
            32_803 => Some("the mosaic of a camera's sensor"),
            _ => Some("colours that are not known here"),
        };
        if let Some(named) = named {
            return Some(format!("{named} (PhotometricInterpretation {photometric})"));
        }
        if photometric == 5 && self.number(tag::INK_SET, 1) != 1 {
            return Some("inks that are not cyan, magenta, yellow and black (InkSet)".to_owned());
        }
        if photometric < 2 && samples > 1 {
            return Some(format!("grey with {} more samples a pixel", samples - 1));
        }
        let depths: BTreeSet<u64> = self.numbers(tag::BITS_PER_SAMPLE).into_iter().collect();
        let is_read = |bits: &u64| matches!(bits, 8 | 16) || (*bits == 1 && photometric < 2);
        if let Some(bits) = depths.iter().find(|bits| !is_read(bits)) {
            return Some(format!("{bits} bits a sample"));
        }
        if samples > 1 && self.number(tag::PLANAR_CONFIGURATION, 1) == 2 && self.is_tiled() {
            return Some("tiles of one colour each (PlanarConfiguration 2)".to_owned());
        }
        None
    }

    /// Positions of the strips or tiles.
    fn chunks(&self) -> Vec<Range<usize>> {
        let (offsets, counts) = if self.is_tiled() {
            (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS)
        } else {
            (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS)
        };
        let end = self.bytes.len();
        let within = |number: u64| usize::try_from(number).unwrap_or(end).min(end);
        self.numbers(offsets)
            .into_iter()
            .zip(self.numbers(counts))
            .map(|(offset, count)| within(offset)..within(offset.saturating_add(count)))
            .collect()
    }

    fn excess(&self, chunks: &[Range<usize>], max_pixels: u64) -> Option<String> {
        let (width, height) = (self.number(tag::WIDTH, 0), self.number(tag::HEIGHT, 0));
        let pixels = width.saturating_mul(height);
        let planes = self.number(tag::SAMPLES_PER_PIXEL, 1).max(1);
        let most = (height.max(pixels / LEAST_TIFF_TILE_PIXELS)).saturating_add(FEW_TIFF_CHUNKS);
        if chunks.len() as u64 > most.saturating_mul(planes) {
            return Some(format!(
                "{} strips or tiles for {width}×{height} pixels; {most} would be many",
                chunks.len()
            ));
        }
        if self.number(tag::COMPRESSION, 1) != JPEG {
            return None;
        }
        let [columns, rows] = if self.is_tiled() {
            [self.number(tag::TILE_WIDTH, width), self.number(tag::TILE_LENGTH, height)]
        } else {
            [width, self.number(tag::ROWS_PER_STRIP, height).min(height)]
        };
        let distinct: BTreeSet<(usize, usize)> =
            chunks.iter().map(|chunk| (chunk.start, chunk.end)).collect();
        distinct.into_iter().find_map(|(start, end)| {
            let markers = Markers::of(&self.bytes[start..end]);
            let [wide, high] = markers.size.map(u64::from);
            // Some encoders pad to whole blocks of 16.
            if wide > columns.saturating_add(15) || high > rows.saturating_add(15) {
                return Some(format!(
                    "a JPEG of {wide}×{high} pixels in a strip or tile of {columns}×{rows}"
                ));
            }
            markers.excess(max_pixels)
        })
    }
}

/// A copy in which each byte of the picture has its bits in the usual order.
fn with_bits_reversed(bytes: &[u8], chunks: &[Range<usize>]) -> Result<Vec<u8>, DecodeError> {
    let mut reversed = bytes.to_vec();
    let mut chunks: Vec<&Range<usize>> = chunks.iter().collect();
    chunks.sort_by_key(|chunk| (chunk.start, chunk.end));
    chunks.dedup();
    let mut end = 0;
    for chunk in chunks {
        if chunk.start < end {
            let reason = "strips that share bytes, with their bits reversed (FillOrder 2)";
            return Err(DecodeError::Unsupported {
                format: PictureFormat::Tiff,
                reason: reason.to_owned(),
            });
        }
        reversed[chunk.clone()].iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        end = chunk.end;
    }
    Ok(reversed)
}
