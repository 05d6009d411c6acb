use std::io::{Cursor, ErrorKind};

use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageReader, Limits};

use crate::container::inspect;
use crate::{ColourMode, Picture, PictureFormat, looks_like_image};

/// The most pixels a picture may have: 100 megapixels, 10,000 × 10,000. A file that announces more
/// is refused before its pixels get any memory: a few bytes can announce terabytes.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Memory for the decoder's own work: eight bytes for each pixel, as RGBA of 16 bits needs.
const MAX_DECODER_BYTES: u64 = 8 * MAX_PIXELS;

/// Bytes that are not a picture which can be used. Reads after "failed to decode \<path\>: ".
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// A medical image, whose values become grey only through a window.
    #[error("a DICOM file; export it as PNG or TIFF through the window it should be seen in")]
    Dicom,
    /// No format that is known here.
    #[error("not an image: starts with {starts_with}; expected PNG, JPEG, TIFF, BMP, GIF or WebP")]
    NotAnImage {
        /// The first bytes: quoted where they are text, else in hexadecimal.
        starts_with: String,
    },
    /// The file ends too early.
    #[error("truncated {0}: the end of the file is missing; copy or download it again")]
    Truncated(PictureFormat),
    /// Width or height is zero.
    #[error("{format} of {width}×{height} pixels, which holds no picture")]
    NoPixels {
        /// Its format.
        format: PictureFormat,
        /// Announced width.
        width: u32,
        /// Announced height.
        height: u32,
    },
    /// More than [`MAX_PIXELS`].
    #[error(
        "{format} of {width}×{height} pixels; more than {} megapixels are refused",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge {
        /// Its format.
        format: PictureFormat,
        /// Announced width.
        width: u32,
        /// Announced height.
        height: u32,
    },
    /// Decoding it needs more memory than its size explains.
    #[error("{0} that needs too much memory to decode; save it again with another program")]
    TooMuchMemory(PictureFormat),
    /// Something of the format that is not read here.
    #[error("{format} of a kind that is not supported: {reason}; save it as an 8 or 16-bit PNG")]
    Unsupported {
        /// Its format.
        format: PictureFormat,
        /// What kind.
        reason: String,
    },
    /// The content contradicts the format.
    #[error("damaged {format}: {reason}")]
    Damaged {
        /// Its format.
        format: PictureFormat,
        /// What the decoder said.
        reason: String,
    },
}

/// Decodes a picture from a file's bytes, by what they hold and never by a name.
///
/// Of an animation or a file of several pages the first picture is taken. Colour profiles and
/// EXIF, its orientation included, are ignored. CMYK becomes RGB without a profile.
///
/// # Errors
/// When the bytes are no picture, end too early, are damaged, announce more than [`MAX_PIXELS`],
/// or hold samples that are not of 8 or 16 bits, such as floating-point TIFF.
pub fn decode(bytes: &[u8]) -> Result<Picture, DecodeError> {
    let format = looks_like_image(bytes).ok_or_else(|| not_an_image(bytes))?;
    let structure = inspect(bytes, format);
    let pixels = decode_pixels(bytes, format);
    // A cut file is called that, whatever the decoder stumbled over because of it.
    if !structure.complete && !matches!(pixels, Err(DecodeError::TooLarge { .. })) {
        return Err(DecodeError::Truncated(format));
    }
    let (pixels, stored) = pixels?;
    Picture::new(format, structure.colour_mode.or(stored), &pixels).ok_or_else(|| {
        DecodeError::Unsupported { format, reason: format!("samples are {:?}", pixels.color()) }
    })
}

fn decode_pixels(
    bytes: &[u8],
    format: PictureFormat,
) -> Result<(DynamicImage, Option<ColourMode>), DecodeError> {
    let explain = |error| explain(format, error);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.decoder_format());
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(explain)?;

    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(DecodeError::NoPixels { format, width, height });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DecodeError::TooLarge { format, width, height });
    }
    let stored = match decoder.original_color_type() {
        ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 => Some(ColourMode::Cmyk),
        _ => None,
    };
    Ok((DynamicImage::from_decoder(decoder).map_err(explain)?, stored))
}

fn explain(format: PictureFormat, error: ImageError) -> DecodeError {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            DecodeError::Truncated(format)
        }
        ImageError::Limits(_) => DecodeError::TooMuchMemory(format),
        ImageError::Unsupported(error) => {
            DecodeError::Unsupported { format, reason: error.to_string() }
        }
        error => DecodeError::Damaged { format, reason: error.to_string() },
    }
}

fn not_an_image(bytes: &[u8]) -> DecodeError {
    const SHOWN: usize = 16;
    const DICOM_MARK_AT: usize = 128;

    if bytes.is_empty() {
        return DecodeError::Empty;
    }
    if bytes.get(DICOM_MARK_AT..DICOM_MARK_AT + 4) == Some(b"DICM") {
        return DecodeError::Dicom;
    }
    let start = &bytes[..bytes.len().min(SHOWN)];
    let starts_with =
        if start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
            format!("{:?}", String::from_utf8_lossy(start))
        } else {
            let hexadecimal: Vec<String> = start.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("the bytes {}", hexadecimal.join(" "))
        };
    DecodeError::NotAnImage { starts_with }
}
