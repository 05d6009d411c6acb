//! Facts from the structure of a file, without decoding a pixel.

use crate::gif::after_first_frame;
use crate::jpeg::Markers;
use crate::{ColourMode, PictureFormat};

/// The result of a walk through the parts of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Structure {
    /// Whether the file has its end mark. Some decoders fill missing parts with grey.
    pub(crate) complete: bool,
    /// The colour mode, if decoded samples do not show it.
    pub(crate) colour_mode: Option<ColourMode>,
}

/// Walks through the parts of a file. Damage inside a part is left to the decoder.
pub(crate) fn inspect(bytes: &[u8], format: PictureFormat) -> Structure {
    match format {
        PictureFormat::Png => png(bytes),
        PictureFormat::Jpeg => jpeg(bytes),
        PictureFormat::Gif => gif(bytes),
        PictureFormat::Bmp => bmp(bytes),
        PictureFormat::WebP => webp(bytes),
        // For both, the decoder itself reports missing data.
        PictureFormat::Tiff | PictureFormat::Dicom => {
            Structure { complete: true, colour_mode: None }
        }
    }
}

/// Chunks of length (big endian), name, content and checksum, up to `IEND`. The first, `IHDR`, has
/// the colour type in its tenth byte of content.
fn png(bytes: &[u8]) -> Structure {
    const CHUNK_FRAME: usize = 12;
    const COLOUR_TYPE_AT: usize = 25;
    const INDEXED: u8 = 3;

    let colour_mode = (bytes.get(COLOUR_TYPE_AT) == Some(&INDEXED)).then_some(ColourMode::Palette);
    let mut rest = bytes.get(8..).unwrap_or_default();
    let complete = loop {
        let Some((length, name)) = rest.first_chunk::<4>().zip(rest.get(4..8)) else { break false };
        let end = (u32::from_be_bytes(*length) as usize).saturating_add(CHUNK_FRAME);
        match rest.get(end..) {
            None => break false,
            Some(_) if name == b"IEND" => break true,
            Some(next) => rest = next,
        }
    };
    Structure { complete, colour_mode }
}

fn jpeg(bytes: &[u8]) -> Structure {
    const CMYK_COMPONENTS: usize = 4;

    let markers = Markers::of(bytes);
    let is_cmyk = markers.components.len() == CMYK_COMPONENTS;
    Structure { complete: markers.complete, colour_mode: is_cmyk.then_some(ColourMode::Cmyk) }
}

/// Descriptions and extensions, then the first frame; no other frame is decoded.
fn gif(bytes: &[u8]) -> Structure {
    Structure {
        complete: after_first_frame(bytes).is_some(),
        colour_mode: Some(ColourMode::Palette),
    }
}

/// A `RIFF` file states its size, without the eight bytes that hold it.
fn webp(bytes: &[u8]) -> Structure {
    let announced = bytes
        .get(4..8)
        .and_then(|field| field.first_chunk::<4>())
        .map_or(u64::MAX, |size| u64::from(u32::from_le_bytes(*size)) + 8);
    Structure { complete: bytes.len() as u64 >= announced, colour_mode: None }
}

/// The header states the bits a pixel; its first version (12 bytes long) is laid out differently.
/// Up to eight bits are indices into a palette.
fn bmp(bytes: &[u8]) -> Structure {
    const HEADER_LENGTH_AT: usize = 14;
    const CORE_HEADER: u8 = 12;

    let bits_at = if bytes.get(HEADER_LENGTH_AT) == Some(&CORE_HEADER) { 24 } else { 28 };
    let indexed = bytes.get(bits_at).is_some_and(|bits| *bits <= 8);
    Structure { complete: true, colour_mode: indexed.then_some(ColourMode::Palette) }
}
