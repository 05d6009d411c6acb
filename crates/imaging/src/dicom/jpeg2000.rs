//! JPEG 2000 in DICOM (ITU-T T.800), reversible or not, up to 16 bits.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::frame::Layout;
use super::{damaged, unsupported};
use crate::DecodeError;

/// Decodes a frame into samples, pixel by pixel; colour transforms are undone. Signed samples
/// become the bits of two's complement.
pub(super) fn decode(frame: &[u8], layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    let explain = |error| damaged(format!("{error}").to_lowercase());
    let settings = DecodeSettings {
        resolve_palette_indices: false,
        // A frame that ends too early is refused and not filled up.
        strict: true,
        target_resolution: None,
    };
    let components = Components::of(frame)?;
    let image = Image::new(frame, &settings).map_err(explain)?;
    // What memory is taken follows from this.
    let found = (image.width(), image.height(), components.count);
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
    if planes.len() != components.count
        || planes.iter().any(|plane| plane.samples().len() != layout.pixels())
    {
        return Err(damaged("its JPEG 2000 components differ in size"));
    }
    // The decoder takes all samples for unsigned and adds half their range.
    let half = if components.signed { 1_i32 << (components.bits - 1) } else { 0 };
    let most = (1_i32 << components.bits) - 1;
    let sample = |plane: &hayro_jpeg2000::ComponentData, pixel: usize| {
        ((plane.samples()[pixel].round() as i32).clamp(0, most) - half) as u16
    };
    Ok((0..layout.pixels())
        .flat_map(|pixel| planes.iter().map(move |plane| sample(plane, pixel)))
        .collect())
}

/// What the codestream says of its components.
struct Components {
    count: usize,
    bits: u8,
    signed: bool,
}

impl Components {
    /// Reads the `SIZ` marker segment, T.800 A.5.1, which starts every codestream; DICOM allows
    /// no container around it.
    fn of(codestream: &[u8]) -> Result<Self, DecodeError> {
        const START: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
        const COMPONENTS_AT: usize = 40;
        if !codestream.starts_with(&START) {
            return Err(damaged("its JPEG 2000 does not start like one"));
        }
        let ([high, low], depth) = codestream
            .get(COMPONENTS_AT..)
            .and_then(|rest| Some((rest.first_chunk::<2>()?, rest.get(2)?)))
            .ok_or_else(super::truncated)?;
        let bits = (depth & 0x7f) + 1;
        if bits > 16 {
            return Err(unsupported(format!("JPEG 2000 with {bits} bits a sample")));
        }
        let count = usize::from(u16::from_be_bytes([*high, *low]));
        Ok(Self { count, bits, signed: depth & 0x80 != 0 })
    }
}
