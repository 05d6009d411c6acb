//! Pixels without loss of depth, for comparing pictures with each other.

use fast_image_resize::pixels::U16;

use crate::Picture;
use crate::picture::Samples;
use crate::resize::resize_to;

/// Factor from an 8-bit sample to the same brightness in 16 bits.
const BYTE_TO_WORD: u16 = 257;

impl Picture {
    /// Brightness in 16 bits at `width` × `height`, row by row, proportions not kept: the luma of
    /// ITU-R BT.601, resized by the filter of [`Preprocessing::resize`](crate::Preprocessing::resize).
    ///
    /// Dark 16-bit pictures keep the differences that [`Grey`](crate::Grey) rounds away.
    pub fn grey16(&self, width: u32, height: u32) -> Vec<u16> {
        let grey: Vec<U16> = match self.samples() {
            Samples::Grey8(pixels) => pixels.iter().map(|p| U16::new(word(p.0))).collect(),
            Samples::Rgb8(pixels) => pixels.iter().map(|p| U16::new(luma(p.0.map(word)))).collect(),
            Samples::Grey16(pixels) => pixels.clone(),
            Samples::Rgb16(pixels) => pixels.iter().map(|p| U16::new(luma(p.0))).collect(),
        };
        let resized = resize_to(&grey, [self.width(), self.height()], [width, height]);
        resized.into_iter().map(|p| p.0).collect()
    }

    /// Calls `visit` with each row of the picture's RGB values, from the top: equal pictures give
    /// equal rows, however their files store them.
    ///
    /// A row has three bytes a pixel. If any sample needs more than 8 bits, all rows have six bytes
    /// a pixel, the high byte of each sample first.
    pub fn for_each_rgb_row(&self, mut visit: impl FnMut(&[u8])) {
        let width = self.width() as usize;
        let fits = |sample: &u16| sample.is_multiple_of(BYTE_TO_WORD);
        let high = |sample: u16| (sample >> 8) as u8;
        match self.samples() {
            Samples::Grey8(pixels) => each_row(pixels, width, |p| [p.0; 3], &mut visit),
            Samples::Rgb8(pixels) => each_row(pixels, width, |p| p.0, &mut visit),
            Samples::Grey16(pixels) if pixels.iter().all(|p| fits(&p.0)) => {
                each_row(pixels, width, |p| [high(p.0); 3], &mut visit);
            }
            Samples::Rgb16(pixels) if pixels.iter().all(|p| p.0.iter().all(fits)) => {
                each_row(pixels, width, |p| p.0.map(high), &mut visit);
            }
            Samples::Grey16(pixels) => each_row(pixels, width, |p| wide([p.0; 3]), &mut visit),
            Samples::Rgb16(pixels) => each_row(pixels, width, |p| wide(p.0), &mut visit),
        }
    }
}

/// Calls `visit` with the bytes of each row of `width` pixels.
fn each_row<P, const BYTES: usize>(
    pixels: &[P],
    width: usize,
    bytes: impl Fn(&P) -> [u8; BYTES],
    visit: &mut impl FnMut(&[u8]),
) {
    let mut row_bytes = Vec::with_capacity(BYTES * width);
    for row in pixels.chunks(width) {
        row_bytes.clear();
        row_bytes.extend(row.iter().flat_map(&bytes));
        visit(&row_bytes);
    }
}

fn wide(rgb: [u16; 3]) -> [u8; 6] {
    let [red, green, blue] = rgb.map(u16::to_be_bytes);
    [red[0], red[1], green[0], green[1], blue[0], blue[1]]
}

fn word(sample: u8) -> u16 {
    u16::from(sample) * BYTE_TO_WORD
}

/// 0.299, 0.587 and 0.114 of red, green and blue, in parts of 65,536, so that grey stays unchanged.
fn luma([red, green, blue]: [u16; 3]) -> u16 {
    let sum = u64::from(red) * 19_595 + u64::from(green) * 38_470 + u64::from(blue) * 7_471;
    ((sum + 0x8000) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};

    use super::*;
    use crate::PictureFormat;

    fn picture(pixels: impl Into<DynamicImage>) -> Picture {
        Picture::new(PictureFormat::Png, None, &pixels.into()).unwrap()
    }

    fn rows(pixels: impl Into<DynamicImage>) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        picture(pixels).for_each_rgb_row(|row| rows.push(row.to_vec()));
        rows
    }

    fn grey(x: u32, y: u32) -> u8 {
        (x * 90 + y * 7) as u8
    }

    #[test]
    fn one_picture_has_the_same_rows_in_every_colour_mode() {
        let reference = vec![vec![0, 0, 0, 90, 90, 90], vec![7, 7, 7, 97, 97, 97]];
        let deep = |x, y| u16::from(grey(x, y)) * 257;
        assert_eq!(rows(ImageBuffer::from_fn(2, 2, |x, y| Luma([grey(x, y)]))), reference);
        assert_eq!(rows(ImageBuffer::from_fn(2, 2, |x, y| LumaA([grey(x, y), 9]))), reference);
        assert_eq!(rows(ImageBuffer::from_fn(2, 2, |x, y| Rgb([grey(x, y); 3]))), reference);
        let rgba = ImageBuffer::from_fn(2, 2, |x, y| {
            let grey = grey(x, y);
            Rgba([grey, grey, grey, 3])
        });
        assert_eq!(rows(rgba), reference);
        assert_eq!(rows(ImageBuffer::from_fn(2, 2, |x, y| Luma([deep(x, y)]))), reference);
        assert_eq!(rows(ImageBuffer::from_fn(2, 2, |x, y| Rgb([deep(x, y); 3]))), reference);
    }

    #[test]
    fn what_only_sixteen_bits_can_say_is_said() {
        let deep = ImageBuffer::from_fn(1, 2, |_, y| Luma([0x0101 + y as u16]));
        assert_eq!(rows(deep), [[1, 1, 1, 1, 1, 1], [1, 2, 1, 2, 1, 2]]);
        let colour = ImageBuffer::from_pixel(1, 1, Rgb([0x0102_u16, 0xFF00, 3]));
        assert_eq!(rows(colour), [[1, 2, 0xFF, 0, 0, 3]]);
    }

    #[test]
    fn grey_in_full_depth_keeps_what_eight_bits_lose() {
        let dark = ImageBuffer::from_fn(4, 2, |x, _| Luma([100 + x as u16]));
        assert_eq!(picture(dark).grey16(4, 2), [100, 101, 102, 103, 100, 101, 102, 103]);
        let white = ImageBuffer::from_pixel(3, 3, Rgb([255_u8; 3]));
        assert_eq!(picture(white).grey16(1, 1), [u16::MAX]);
        // 0.299 · 65535 = 19594.97
        let red = ImageBuffer::from_pixel(3, 3, Rgb([255_u8, 0, 0]));
        assert_eq!(picture(red).grey16(2, 1), [19_595; 2]);
    }
}
