use crate::Window;

/// The most pixels a picture may have, unless [`DecodeOptions`] say otherwise: 100 megapixels,
/// 10,000 × 10,000.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Options of decoding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecodeOptions {
    /// The window for grey DICOM pictures. `None`: the lung window if the values are Hounsfield
    /// units, else the file's own window, or one from the lowest to the highest value.
    pub window: Option<Window>,
    /// The most pixels a picture may have. A file that announces more is refused before memory is
    /// reserved for its pixels: a few bytes can announce terabytes.
    pub max_pixels: u64,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { window: None, max_pixels: MAX_PIXELS }
    }
}

/// Memory for a decoder's own work: eight bytes for each pixel, as RGBA of 16 bits needs, and never
/// less than a megapixel needs.
pub(crate) fn decoder_bytes(max_pixels: u64) -> u64 {
    const PIXEL_BYTES: u64 = 8;
    const LEAST_PIXELS: u64 = 1_000_000;
    max_pixels.max(LEAST_PIXELS).saturating_mul(PIXEL_BYTES)
}
