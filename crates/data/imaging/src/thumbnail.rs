use crate::Picture;
use crate::picture::Samples;
use crate::resize::resize_to;

/// A small RGB copy of a picture, for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Red, green and blue of each pixel, row by row.
    pub rgb: Vec<u8>,
}

impl Thumbnail {
    /// Shrinks a picture until its longer side has `longest_side` pixels; a smaller picture keeps
    /// its size. Proportions are kept, as far as whole pixels allow.
    pub fn of(picture: &Picture, longest_side: u32) -> Self {
        let (width, height) = (picture.width(), picture.height());
        let longest = width.max(height).max(1);
        let scaled = |side: u32| {
            let side = (u64::from(side) * u64::from(longest_side) / u64::from(longest)).max(1);
            u32::try_from(side).unwrap_or(longest_side)
        };
        let size =
            if longest <= longest_side { [width, height] } else { [scaled(width), scaled(height)] };
        Self::resized(picture, size)
    }

    /// A picture at `side` × `side`, without keeping its proportions: as a model sees it.
    pub fn square(picture: &Picture, side: u32) -> Self {
        Self::resized(picture, [side, side])
    }

    fn resized(picture: &Picture, size: [u32; 2]) -> Self {
        let from = [picture.width(), picture.height()];
        let high = |sample: u16| (sample >> 8) as u8;
        let rgb = match picture.samples() {
            Samples::Grey8(pixels) => flat(resize_to(pixels, from, size), |p| [p.0; 3]),
            Samples::Rgb8(pixels) => flat(resize_to(pixels, from, size), |p| p.0),
            Samples::Grey16(pixels) => flat(resize_to(pixels, from, size), |p| [high(p.0); 3]),
            Samples::Rgb16(pixels) => flat(resize_to(pixels, from, size), |p| p.0.map(high)),
        };
        let [width, height] = size;
        Self { width, height, rgb }
    }
}

fn flat<P>(pixels: Vec<P>, rgb: impl Fn(P) -> [u8; 3]) -> Vec<u8> {
    pixels.into_iter().flat_map(rgb).collect()
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, Luma, Rgb};

    use super::*;
    use crate::PictureFormat;

    fn picture(pixels: impl Into<DynamicImage>) -> Picture {
        Picture::new(PictureFormat::Png, None, &pixels.into()).unwrap()
    }

    #[test]
    fn the_longer_side_is_cut_to_size_and_proportions_are_kept() {
        let wide = picture(ImageBuffer::from_pixel(400, 100, Luma([7_u8])));
        let thumbnail = Thumbnail::of(&wide, 100);
        assert_eq!((thumbnail.width, thumbnail.height), (100, 25));
        assert_eq!(thumbnail.rgb, [7; 100 * 25 * 3]);
        let thin = picture(ImageBuffer::from_pixel(1, 5000, Luma([7_u8])));
        assert_eq!(Thumbnail::of(&thin, 50).width, 1);
    }

    #[test]
    fn a_small_picture_keeps_its_pixels() {
        let pixels = ImageBuffer::from_fn(2, 1, |x, _| Rgb([x as u8, 2, 3]));
        let thumbnail = Thumbnail::of(&picture(pixels), 100);
        assert_eq!(thumbnail, Thumbnail { width: 2, height: 1, rgb: vec![0, 2, 3, 1, 2, 3] });
    }

    #[test]
    fn sixteen_bits_keep_their_high_byte() {
        let pixels = ImageBuffer::from_pixel(1, 1, Luma([0xABCD_u16]));
        assert_eq!(Thumbnail::square(&picture(pixels), 1).rgb, [0xAB; 3]);
    }
}
