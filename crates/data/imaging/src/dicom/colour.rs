//! Colours of DICOM files, as in ultrasound and screen shots.

use fast_image_resize::pixels::{U8x3, U16x3};

use super::frame::Frame;
use super::layout::Colours;
use crate::picture::Samples;

/// Pixels of 8 bits if the file has no more, else of 16.
pub(super) fn rgb(frame: &Frame) -> Samples {
    let layout = &frame.layout;
    let highest = u32::from(u16::MAX >> (16 - layout.bits_stored));
    let level = |word: u16| u32::from(word >> layout.lowest_bit) & highest;
    let scaled = |word: u16, white: u32| (level(word) * white + highest / 2) / highest;
    let (pixels, _) = frame.samples.as_chunks::<3>();
    if layout.bits_stored > 8 {
        let scaled = |word| scaled(word, u16::MAX.into()) as u16;
        return Samples::Rgb16(pixels.iter().map(|pixel| U16x3::new(pixel.map(scaled))).collect());
    }
    let scaled = |word| scaled(word, u8::MAX.into()) as u8;
    let colour = |pixel: &[u16; 3]| match layout.colours {
        Colours::Ybr => rgb_of_ybr(pixel.map(scaled)),
        _ => pixel.map(scaled),
    };
    Samples::Rgb8(pixels.iter().map(|pixel| U8x3::new(colour(pixel))).collect())
}

/// The inverse of YBR_FULL, DICOM PS3.3 C.7.6.3.1.2.
fn rgb_of_ybr([luminance, blue, red]: [u8; 3]) -> [u8; 3] {
    let y = f64::from(luminance);
    let [cb, cr] = [blue, red].map(|chrominance| f64::from(chrominance) - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        .map(|level| level.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luminance_and_chrominance_become_the_colours_that_the_standard_says() {
        // Y = 0.299 · 255, CB = 128 − 0.1687 · 255, CR = 128 + 0.5 · 255, rounded and cut to 255.
        assert_eq!(rgb_of_ybr([76, 85, 255]), [254, 0, 0]);
        assert_eq!(rgb_of_ybr([130, 128, 128]), [130; 3]);
    }
}
