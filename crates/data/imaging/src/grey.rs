use fast_image_resize::pixels::U8;

use crate::Picture;
use crate::picture::Samples;
use crate::resize::resize_to;

/// Bins of a [`grey_histogram`].
pub const GREY_BINS: usize = 32;

/// Share of the pixels in each of 32 equally wide bins of grey, from black to white; they add up
/// to 1.
///
/// Grey is the luma of ITU-R BT.601, rounded as Pillow's `convert("L")` does; of 16-bit samples the
/// high byte is used.
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

/// A picture's brightness in 8 bits a pixel, 0 black to 255 white. [`grey_histogram`] defines grey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grey {
    width: u32,
    height: u32,
    levels: Vec<u8>,
}

impl Grey {
    /// The brightness of a picture.
    pub fn of(picture: &Picture) -> Self {
        let levels = match picture.samples() {
            Samples::Grey8(pixels) => pixels.iter().map(|p| p.0).collect(),
            Samples::Rgb8(pixels) => pixels.iter().map(|p| luma(p.0)).collect(),
            Samples::Grey16(pixels) => pixels.iter().map(|p| high_byte(p.0)).collect(),
            Samples::Rgb16(pixels) => pixels.iter().map(|p| luma(p.0.map(high_byte))).collect(),
        };
        Self { width: picture.width(), height: picture.height(), levels }
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The grey of each pixel, row by row.
    pub fn levels(&self) -> &[u8] {
        &self.levels
    }

    /// The same at `width` × `height`, proportions not kept, by the filter of
    /// [`Preprocessing::resize`](crate::Preprocessing::resize).
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let pixels: Vec<U8> = self.levels.iter().copied().map(U8::new).collect();
        let resized = resize_to(&pixels, [self.width, self.height], [width, height]);
        Self { width, height, levels: resized.into_iter().map(|p| p.0).collect() }
    }
}

impl Picture {
    /// The distance of each pixel from grey, row by row: the difference between its highest and its
    /// lowest channel, in 8 bits. `None` if the picture was stored without colours.
    pub fn chroma(&self) -> Option<Vec<u8>> {
        let range = |rgb: [u8; 3]| rgb[0].max(rgb[1]).max(rgb[2]) - rgb[0].min(rgb[1]).min(rgb[2]);
        match self.samples() {
            Samples::Grey8(_) | Samples::Grey16(_) => None,
            Samples::Rgb8(pixels) => Some(pixels.iter().map(|p| range(p.0)).collect()),
            Samples::Rgb16(pixels) => {
                Some(pixels.iter().map(|p| range(p.0.map(high_byte))).collect())
            }
        }
    }
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

    fn histogram(pixels: impl Into<DynamicImage>) -> [f64; GREY_BINS] {
        grey_histogram(&Picture::new(PictureFormat::Png, None, &pixels.into()).unwrap())
    }

    #[test]
    fn each_bin_holds_eight_of_256_greys() {
        let all = ImageBuffer::from_fn(256, 1, |x, _| Luma([x as u8]));
        assert_eq!(histogram(all), [1.0 / 32.0; GREY_BINS]);
    }

    #[test]
    fn colours_count_by_pillows_luma() {
        // Image.new("RGB", (1, 1), (255, 0, 0)).convert("L").getpixel((0, 0)) is 76; green 150,
        // blue 29, white 255.
        for (rgb, grey) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29)] {
            assert_eq!(luma(rgb), grey);
        }
        let white = ImageBuffer::from_pixel(2, 2, Rgb([255_u8; 3]));
        assert_eq!(histogram(white)[31], 1.0);
    }

    #[test]
    fn sixteen_bits_fall_into_the_bin_of_their_high_byte() {
        let grey = ImageBuffer::from_pixel(1, 1, Luma([0x80FF_u16]));
        assert_eq!(histogram(grey)[16], 1.0);
    }

    #[test]
    fn grey_is_pillows_at_any_size() {
        let rgb = ImageBuffer::from_fn(7, 5, |x, y| {
            Rgb([(x * 37 + y * 11) as u8, (x * x * 5 + y * 3) as u8, 0])
        });
        let grey = Grey::of(&Picture::new(PictureFormat::Png, None, &rgb.into()).unwrap());
        // y, x = np.mgrid[0:5, 0:7]
        // im = np.stack([(x*37 + y*11) % 256, (x*x*5 + y*3) % 256, 0*x], -1).astype(np.uint8)
        // np.asarray(Image.fromarray(im).convert("L")), row 4 of which is
        assert_eq!(&grey.levels()[28..], [20, 34, 54, 80, 111, 149, 116]);
        let small = grey.resized(2, 2);
        assert_eq!((small.width(), small.height()), (2, 2));
        for (level, reference) in small.levels().iter().zip([34, 115, 44, 120]) {
            assert!(level.abs_diff(reference) <= 1, "{level} for {reference}");
        }
    }

    #[test]
    fn chroma_is_the_distance_from_grey_where_there_are_colours() {
        let chroma = |pixels: DynamicImage| {
            Picture::new(PictureFormat::Png, None, &pixels).unwrap().chroma()
        };
        let rgb = ImageBuffer::from_fn(2, 1, |x, _| Rgb([200, 200 - 90 * x as u8, 210_u8]));
        assert_eq!(chroma(rgb.into()), Some(vec![10, 100]));
        let deep = ImageBuffer::from_pixel(1, 1, Rgb([0x1000_u16, 0x10FF, 0x2000]));
        assert_eq!(chroma(deep.into()), Some(vec![0x10]));
        assert_eq!(chroma(ImageBuffer::from_pixel(1, 1, Luma([9_u8])).into()), None);
    }
}
