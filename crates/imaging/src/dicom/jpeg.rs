//! JPEG in DICOM: baseline, extended and lossless (ITU-T T.81), up to 16 bits where lossless.

use jpeg_decoder::{ColorTransform, Decoder, Error, ImageInfo, PixelFormat};

use super::frame::{Colours, Layout};
use super::{damaged, truncated, unsupported};
use crate::DecodeError;

/// Decodes a frame into samples, pixel by pixel; luminance and chrominance become RGB.
pub(super) fn decode(frame: &[u8], layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    let mut decoder = Decoder::new(frame);
    decoder.set_color_transform(match layout.colours {
        Colours::Monochrome1 | Colours::Monochrome2 => ColorTransform::Grayscale,
        Colours::Rgb => ColorTransform::RGB,
        Colours::Ybr => ColorTransform::YCbCr,
    });
    decoder.read_info().map_err(explain)?;
    let info = decoder.info().ok_or_else(|| damaged("its JPEG has no frame"))?;
    // What memory is taken follows from this.
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
        Error::Io(_) => truncated(),
        Error::Unsupported(feature) => unsupported(format!("JPEG with {feature:?}")),
        error => damaged(error.to_string().to_lowercase()),
    }
}
