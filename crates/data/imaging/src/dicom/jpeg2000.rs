//! JPEG 2000 in DICOM (ITU-T T.800), reversible or not, up to 16 bits.

use hayro_jpeg2000::error::{FormatError, MarkerError};
use hayro_jpeg2000::{DecodeError as Jpeg2000Error, DecodeSettings, DecoderContext, Image};

use super::codestream::Codestream;
use super::layout::Layout;
use super::refusal::{damaged, too_costly, unsupported};
use crate::DecodeError;

/// Decodes a frame into samples, pixel by pixel, and undoes colour transforms. Signed samples
/// become the bits of two's complement.
pub(super) fn decode(frame: &[u8], layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    let settings = DecodeSettings {
        resolve_palette_indices: false,
        // A frame that ends too early is refused, not filled.
        strict: true,
        target_resolution: None,
    };
    if !Codestream::starts(frame) {
        return Err(not_a_codestream(frame));
    }
    let codestream =
        Codestream::of(frame).ok_or_else(|| damaged("its JPEG 2000 ends in its headers"))?;
    if let Some(reason) = codestream.excess() {
        return Err(too_costly(reason));
    }
    let (bits, signed) = codestream.depth.filter(|(bits, _)| *bits <= 16).ok_or_else(|| {
        unsupported("JPEG 2000 with more than 16 bits a sample, or not always as many")
    })?;
    let closed = codestream.closed(frame);
    let image = Image::new(&closed, &settings).map_err(explain)?;
    // This check limits the memory that is reserved.
    let found = (image.width(), image.height(), codestream.components);
    let due = (u32::from(layout.columns), u32::from(layout.rows), layout.colours.samples());
    if found != due {
        return Err(damaged(format!(
            "JPEG 2000 of {}×{} with {} samples where {}×{} with {} are due",
            found.0, found.1, found.2, due.0, due.1, due.2
        )));
    }
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(explain)?;
    let planes = decoded.components();
    if planes.len() != codestream.components
        || planes.iter().any(|plane| plane.samples().len() != layout.pixels())
    {
        return Err(damaged("its JPEG 2000 components differ in size"));
    }
    // The decoder treats all samples as unsigned and adds half their range.
    let half = if signed { 1_i32 << (bits - 1) } else { 0 };
    let most = (1_i32 << bits) - 1;
    let sample = |plane: &hayro_jpeg2000::ComponentData, pixel: usize| {
        ((plane.samples()[pixel].round() as i32).clamp(0, most) - half) as u16
    };
    Ok((0..layout.pixels())
        .flat_map(|pixel| planes.iter().map(move |plane| sample(plane, pixel)))
        .collect())
}

/// DICOM allows no container around it: its boxes could contradict the file's colours.
fn not_a_codestream(frame: &[u8]) -> DecodeError {
    const CONTAINER: &[u8] = b"\0\0\0\x0cjP  ";
    if frame.starts_with(CONTAINER) {
        return unsupported("JPEG 2000 in a JP2 container");
    }
    damaged("its JPEG 2000 does not start like one")
}

fn explain(error: Jpeg2000Error) -> DecodeError {
    let reason = format!("{error}").to_lowercase();
    match error {
        Jpeg2000Error::Format(FormatError::Unsupported)
        | Jpeg2000Error::Marker(MarkerError::Unsupported) => {
            unsupported(format!("JPEG 2000: {reason}"))
        }
        _ => damaged(format!("its JPEG 2000: {reason}")),
    }
}
