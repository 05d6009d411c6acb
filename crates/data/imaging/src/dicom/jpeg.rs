//! JPEG in DICOM: baseline, extended and lossless (ITU-T T.81), up to 16 bits where lossless.

use jpeg_decoder::{ColorTransform, Decoder, Error, ImageInfo, PixelFormat};

use super::layout::{Colours, Layout};
use super::refusal::{damaged, too_costly, unsupported};
use crate::DecodeError;
use crate::jpeg::Markers;

/// Decodes a frame into samples, pixel by pixel; luminance and chrominance become RGB.
pub(super) fn decode(
    frame: &[u8],
    layout: &Layout,
    max_pixels: u64,
) -> Result<Vec<u16>, DecodeError> {
    const JPEG_LS: u8 = 0xf7;
    let markers = Markers::of(frame);
    if markers.process == Some(JPEG_LS) {
        return Err(unsupported("JPEG-LS compression"));
    }
    if let Some(reason) = markers.excess(max_pixels) {
        return Err(too_costly(reason));
    }
    let mut decoder = Decoder::new(frame);
    decoder.set_color_transform(match layout.colours {
        Colours::Monochrome1 | Colours::Monochrome2 => ColorTransform::Grayscale,
        Colours::Rgb | Colours::Ybr if is_ycbcr(&markers, layout.colours) => ColorTransform::YCbCr,
        Colours::Rgb | Colours::Ybr => ColorTransform::RGB,
    });
    decoder.read_info().map_err(explain)?;
    let info = decoder.info().ok_or_else(|| damaged("its JPEG has no frame"))?;
    // This check limits the memory that is reserved.
    refuse_other_size(&info, layout)?;
    let bytes = decoder.decode().map_err(explain)?;
    let samples: Vec<u16> = match info.pixel_format {
        PixelFormat::L16 => bytes.as_chunks().0.iter().copied().map(u16::from_ne_bytes).collect(),
        _ => bytes.into_iter().map(u16::from).collect(),
    };
    if samples.len() == layout.samples() {
        Ok(samples)
    } else {
        Err(damaged(format!(
            "{} samples of JPEG where {} are due",
            samples.len(),
            layout.samples()
        )))
    }
}

/// Whether three components are luminance and chrominance: the stream's own markers decide, in the
/// order of libjpeg; if there are none, DICOM decides. JFIF is always luminance and chrominance,
/// and Adobe's marker has a number for it.
fn is_ycbcr(markers: &Markers, named: Colours) -> bool {
    if markers.has_jfif {
        return true;
    }
    match (markers.adobe_transform, markers.components.as_slice()) {
        (Some(transform), _) => transform != 0,
        (None, b"RGB") => false,
        (None, _) => named == Colours::Ybr,
    }
}

fn refuse_other_size(info: &ImageInfo, layout: &Layout) -> Result<(), DecodeError> {
    let samples = match info.pixel_format {
        PixelFormat::L8 | PixelFormat::L16 => 1,
        PixelFormat::RGB24 => 3,
        PixelFormat::CMYK32 => 4,
    };
    let found = (info.width, info.height, samples);
    let due = (layout.columns, layout.rows, layout.colours.samples());
    if found == due {
        return Ok(());
    }
    Err(damaged(format!(
        "JPEG of {}×{} with {} samples where {}×{} with {} are due",
        found.0, found.1, found.2, due.0, due.1, due.2
    )))
}

fn explain(error: Error) -> DecodeError {
    match error {
        // The file itself is complete: the walk through its structure reached the end.
        Error::Io(_) => damaged("its JPEG ends too early"),
        Error::Unsupported(feature) => unsupported(format!("JPEG with {feature:?}")),
        error => damaged(error.to_string().to_lowercase()),
    }
}
