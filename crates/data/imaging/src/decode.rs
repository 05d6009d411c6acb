use std::borrow::Cow;
use std::io::{Cursor, ErrorKind};

use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
};

use crate::contain::contained;
use crate::container::inspect;
use crate::decode_options::decoder_bytes;
use crate::jpeg::Markers;
use crate::{
    ColourMode, DecodeError, DecodeOptions, Picture, PictureFormat, dicom, gif, jpeg,
    looks_like_image, png, tiff,
};

/// Decodes a picture from a file's bytes, by their content and never by a name, as [`decode_with`]
/// does with the default options.
///
/// # Errors
/// As [`decode_with`].
pub fn decode(bytes: &[u8]) -> Result<Picture, DecodeError> {
    decode_with(bytes, &DecodeOptions::default())
}

/// Decodes a picture from a file's bytes, by their content and never by a name.
///
/// Of an animation, a file of several pages or a DICOM file of several frames the first picture is
/// used. It is turned upright by its orientation: that of EXIF in JPEG, PNG and WebP, tag 274 in
/// TIFF; an orientation in XMP only is ignored, as in browsers. Colour profiles are ignored. CMYK
/// becomes RGB without a profile.
///
/// DICOM becomes grey of 16 bits in the steps of PS3.3 C.11. Stored values go through the modality
/// lookup table or are rescaled, to Hounsfield units for CT. A window ([`DecodeOptions::window`])
/// or the file's own lookup table then maps them to greys. `MONOCHROME1` is inverted, so that white
/// is always the highest brightness; padding is black. Overlays are ignored. RGB and YBR stay in
/// colour.
///
/// The sizes that a file's parts announce are checked before a decoder starts. A decoder that
/// panics makes this picture fail and nothing else.
///
/// # Errors
/// When the bytes are not a picture, end too early, are damaged, announce more pixels than allowed
/// or more work than their size explains, hold samples that are not of 8 or 16 bits, such as
/// floating-point TIFF, or are DICOM of an unsupported compression: JPEG-LS, JPEG XL,
/// High-Throughput JPEG 2000, video, and lossy JPEG of 12 bits.
pub fn decode_with(bytes: &[u8], options: &DecodeOptions) -> Result<Picture, DecodeError> {
    let format = looks_like_image(bytes).ok_or_else(|| DecodeError::not_an_image(bytes))?;
    contained(format, || match format.decoder_format() {
        None => dicom::decode(bytes, options),
        Some(decoder) => decode_file(bytes, format, decoder, options.max_pixels),
    })
}

fn decode_file(
    bytes: &[u8],
    format: PictureFormat,
    decoder: ImageFormat,
    max_pixels: u64,
) -> Result<Picture, DecodeError> {
    let structure = inspect(bytes, format);
    let decoded = decode_pixels(bytes, format, decoder, max_pixels);
    // A cut file is reported as cut, whatever error the decoder met because of it.
    let is_cut = !structure.complete;
    if is_cut && !matches!(decoded, Err(DecodeError::TooLarge { .. })) {
        return Err(DecodeError::Truncated(format));
    }
    let (pixels, stored) = decoded?;
    Picture::new(format, structure.colour_mode.or(stored), &pixels).ok_or_else(|| {
        DecodeError::Unsupported { format, reason: format!("samples are {:?}", pixels.color()) }
    })
}

fn decode_pixels(
    bytes: &[u8],
    format: PictureFormat,
    decoder: ImageFormat,
    max_pixels: u64,
) -> Result<(DynamicImage, Option<ColourMode>), DecodeError> {
    let explain = |error| explain(format, error);
    let prepared = Prepared::of(bytes, format, max_pixels)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(decoder_bytes(max_pixels));
    let mut reader = ImageReader::with_format(Cursor::new(&*prepared.bytes), decoder);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(explain)?;

    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(DecodeError::NoPixels { format, width, height });
    }
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(DecodeError::TooLarge { format, width, height, max_pixels });
    }
    let stored = match decoder.original_color_type() {
        ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 => Some(ColourMode::Cmyk),
        _ => None,
    };
    let orientation = orientation(&mut decoder, format);
    let mut pixels = if format == PictureFormat::Jpeg {
        jpeg::pixels(bytes, decoder.color_type())?
    } else {
        DynamicImage::from_decoder(decoder).map_err(explain)?
    };
    if prepared.premultiplied {
        undo_alpha(&mut pixels);
    }
    pixels.apply_orientation(orientation);
    Ok((pixels, stored))
}

/// The orientation of the picture; upright if it is missing or damaged, since that does not affect
/// the picture.
fn orientation(decoder: &mut impl ImageDecoder, format: PictureFormat) -> Orientation {
    let found = if format == PictureFormat::Tiff {
        decoder.orientation().ok()
    } else {
        // As in JPEG, some programs write a mark before EXIF in PNG and WebP.
        let exif = decoder.exif_metadata().ok().flatten().unwrap_or_default();
        Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif))
    };
    found.unwrap_or(Orientation::NoTransforms)
}

/// A file in a form that its decoder reads correctly, and within the limits.
struct Prepared<'a> {
    bytes: Cow<'a, [u8]>,
    premultiplied: bool,
}

impl<'a> Prepared<'a> {
    fn of(bytes: &'a [u8], format: PictureFormat, max_pixels: u64) -> Result<Self, DecodeError> {
        let bytes = match format {
            PictureFormat::Tiff => {
                let tiff::Prepared { bytes, premultiplied } = tiff::prepare(bytes, max_pixels)?;
                return Ok(Self { bytes, premultiplied });
            }
            PictureFormat::Jpeg => {
                let markers = Markers::of(bytes);
                if let Some(reason) = markers.unsupported() {
                    return Err(DecodeError::Unsupported { format, reason });
                }
                if let Some(reason) = markers.excess(max_pixels) {
                    return Err(DecodeError::TooCostly { format, reason });
                }
                bytes.into()
            }
            PictureFormat::Png => png::essential(bytes),
            PictureFormat::Gif => gif::opaque(bytes),
            _ => bytes.into(),
        };
        Ok(Self { bytes, premultiplied: false })
    }
}

/// Divides colours by the alpha that they were multiplied with, as Pillow does.
fn undo_alpha(pixels: &mut DynamicImage) {
    fn divided<T: Copy + Into<u32> + TryFrom<u32>>([r, g, b, alpha]: &mut [T; 4], white: T) {
        let whole: u32 = (*alpha).into();
        for colour in [r, g, b] {
            let level = ((*colour).into() * white.into()).checked_div(whole).unwrap_or(0);
            *colour = T::try_from(level).unwrap_or(white);
        }
    }
    match pixels {
        DynamicImage::ImageRgba8(rgba) => {
            rgba.pixels_mut().for_each(|pixel| divided(&mut pixel.0, u8::MAX));
        }
        DynamicImage::ImageRgba16(rgba) => {
            rgba.pixels_mut().for_each(|pixel| divided(&mut pixel.0, u16::MAX));
        }
        _ => {}
    }
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
