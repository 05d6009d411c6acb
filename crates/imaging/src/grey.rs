use crate::Picture;
use crate::picture::Samples;

/// Bins of a [`grey_histogram`].
pub const GREY_BINS: usize = 32;

/// Share of the pixels in each of 32 equally wide bins of grey, from black to white; they add up
/// to 1.
///
/// Grey is the luma of ITU-R BT.601, rounded as Pillow's `convert("L")` does; of 16-bit samples the
/// high byte counts.
pub fn grey_histogram(picture: &Picture) -> [f64; GREY_BINS] {
    let mut counts = [0_u64; GREY_BINS];
    let mut count = |grey: u8| counts[usize::from(grey) * GREY_BINS / 256] += 1;
    match picture.samples() {
        Samples::Grey8(pixels) => pixels.iter().for_each(|p| count(p.0)),
        Samples::Rgb8(pixels) => pixels.iter().for_each(|p| count(luma(p.0))),
        Samples::Grey16(pixels) => pixels.iter().for_each(|p| count(high_byte(p.0))),
        Samples::Rgb16(pixels) => {
            pixels.iter().for_each(|p| count(luma(p.0.map(high_byte))));
        }
    }
    let pixels: u64 = counts.iter().sum();
    counts.map(|count| count as f64 / pixels.max(1) as f64)
}

/// Luma in 16-bit fixed point, as Pillow computes it.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}

fn high_byte(sample: u16) -> u8 {
    (sample >> 8) as u8
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, Luma, Rgb};

    use super::*;
    use crate::PictureFormat;

    fn histogram(pixels: DynamicImage) -> [f64; GREY_BINS] {
        grey_histogram(&Picture::new(PictureFormat::Png, None, &pixels).unwrap())
    }

    #[test]
    fn each_bin_holds_eight_of_256_greys() {
        let all = ImageBuffer::from_fn(256, 1, |x, _| Luma([x as u8]));
        assert_eq!(histogram(all.into()), [1.0 / 32.0; GREY_BINS]);
    }

    #[test]
    fn colours_count_by_pillows_luma() {
        // Image.new("RGB", (1, 1), (255, 0, 0)).convert("L").getpixel((0, 0)) is 76; green 150,
        // blue 29, white 255.
        for (rgb, grey) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29)] {
            assert_eq!(luma(rgb), grey);
        }
        let white = ImageBuffer::from_pixel(2, 2, Rgb([255_u8; 3]));
        assert_eq!(histogram(white.into())[31], 1.0);
    }

    #[test]
    fn sixteen_bits_fall_into_the_bin_of_their_high_byte() {
        let grey = ImageBuffer::from_pixel(1, 1, Luma([0x80FF_u16]));
        assert_eq!(histogram(grey.into())[16], 1.0);
    }
}
