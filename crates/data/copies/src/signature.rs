use std::fmt;

use imaging::Picture;
use sha2::{Digest as _, Sha256};

use crate::plane::Plane;

/// Pixels to a side of the thumbnail by which pictures are compared: eleven blocks of eight.
pub(crate) const THUMBNAIL_SIDE: usize = 88;

/// Pixels to a side of the blocks in which the fine structure of two pictures is compared.
pub(crate) const BLOCK_SIDE: usize = 8;

/// The shortest side of a picture that is compared by more than its digest.
const LEAST_SIDE: u32 = 36;

/// The share of the darkest pixels that all become black, and of the brightest that all become
/// white.
const CLIPPED_SHARE: f32 = 0.005;

/// The smallest difference between black and white, of 65,535: two of 255 levels. Below it only
/// rounding could be compared.
const LEAST_RANGE: u16 = 514;

/// The data kept of a picture to find its copies: 8 kB, whatever the picture's size.
#[derive(Clone)]
pub struct Signature {
    digest: PixelDigest,
    width: u32,
    height: u32,
    thumbnail: Option<Thumbnail>,
}

/// Shows whether two pictures have the same pixels, whatever their files' formats and colour modes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PixelDigest([u8; 32]);

/// A picture's brightness, 88 × 88 pixels, from its own black to its own white.
#[derive(Clone)]
struct Thumbnail {
    levels: Box<[u8]>,
    black: u16,
    white: u16,
}

impl Signature {
    /// Computes the signature of a picture, which is no longer needed afterwards.
    pub fn of(picture: &Picture) -> Self {
        Self {
            digest: PixelDigest::of(picture),
            width: picture.width(),
            height: picture.height(),
            thumbnail: Thumbnail::of(picture),
        }
    }

    /// The digest by which pictures with the same pixels are found.
    pub fn digest(&self) -> PixelDigest {
        self.digest
    }

    /// Width and height of the picture in pixels.
    pub(crate) fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// Whether it can be compared with pictures of other pixels: neither tiny nor blank.
    pub fn is_comparable(&self) -> bool {
        self.thumbnail.is_some()
    }

    /// The thumbnail from 0, its own black, to 1, its own white, if it is comparable.
    pub(crate) fn plane(&self) -> Option<Plane> {
        let levels = &self.thumbnail.as_ref()?.levels;
        let values = levels.iter().map(|level| f32::from(*level) / 255.0).collect();
        Some(Plane::new(THUMBNAIL_SIDE, values))
    }

    /// The brightness, from 0 to 1, that the plane shows as 0 and as 1.
    pub(crate) fn range(&self) -> [f32; 2] {
        self.thumbnail.as_ref().map_or([0.0, 1.0], |thumbnail| {
            [thumbnail.black, thumbnail.white].map(|level| f32::from(level) / f32::from(u16::MAX))
        })
    }

    /// The side of the largest square, in whole blocks, that shows no more detail than the picture
    /// has.
    pub(crate) fn detail_side(&self) -> usize {
        let shorter = self.width.min(self.height) as usize;
        (shorter * 10 / 11 / BLOCK_SIDE * BLOCK_SIDE).min(THUMBNAIL_SIDE)
    }
}

impl PixelDigest {
    /// The SHA-256 digest of width, height and RGB values.
    pub fn of(picture: &Picture) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(picture.width().to_le_bytes());
        hasher.update(picture.height().to_le_bytes());
        picture.for_each_rgb_row(|row| hasher.update(row));
        Self(hasher.finalize().into())
    }
}

impl Thumbnail {
    fn of(picture: &Picture) -> Option<Self> {
        if picture.width().min(picture.height()) < LEAST_SIDE {
            return None;
        }
        let side = THUMBNAIL_SIDE as u32;
        let greys = picture.grey16(side, side);
        let mut sorted = greys.clone();
        let clipped = (sorted.len() as f32 * CLIPPED_SHARE) as usize;
        let black = *sorted.select_nth_unstable(clipped).1;
        let last = sorted.len() - 1 - clipped;
        let white = *sorted.select_nth_unstable(last).1;
        if white - black < LEAST_RANGE {
            return None;
        }
        let range = u32::from(white - black);
        let level = |grey: u16| {
            let above = u32::from(grey.clamp(black, white) - black);
            ((above * 255 + range / 2) / range) as u8
        };
        Some(Self { levels: greys.into_iter().map(level).collect(), black, white })
    }
}

impl fmt::Display for PixelDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PixelDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PixelDigest({self})")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}×{} {})", self.width, self.height, &self.digest.to_string()[..12])
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageBuffer, Luma, Rgb};

    use super::*;
    use crate::Frame;
    use crate::textures::{Texture, picture};

    #[test]
    fn colour_modes_do_not_change_a_signature_but_a_pixel_does() {
        let grey = Texture::new(1).image(90, 70, Frame::WHOLE);
        let rgb = ImageBuffer::from_fn(90, 70, |x, y| Rgb([grey.get_pixel(x, y).0[0]; 3]));
        let mut other = grey.clone();
        other.get_pixel_mut(89, 69).0[0] ^= 1;
        let [grey, rgb, other] =
            [picture(grey), picture(rgb), picture(other)].map(|picture| Signature::of(&picture));
        assert_eq!(grey.digest(), rgb.digest());
        assert_eq!(grey.plane().unwrap().values(), rgb.plane().unwrap().values());
        assert_ne!(grey.digest(), other.digest());
        assert_eq!(grey.digest().to_string().len(), 64);
    }

    #[test]
    fn pixels_in_other_rows_are_other_pixels() {
        let flat = |width, height| picture(GrayImage::from_pixel(width, height, Luma([9])));
        assert_ne!(PixelDigest::of(&flat(2, 8)), PixelDigest::of(&flat(4, 4)));
    }

    #[test]
    fn tiny_and_blank_pictures_are_not_compared() {
        let texture = Texture::new(2);
        let of = |image: GrayImage| Signature::of(&picture(image));
        assert!(!of(texture.image(35, 200, Frame::WHOLE)).is_comparable());
        assert!(of(texture.image(36, 200, Frame::WHOLE)).is_comparable());
        assert!(!of(GrayImage::from_pixel(100, 100, Luma([77]))).is_comparable());
        let levels = |step| GrayImage::from_fn(88, 88, |x, _| Luma([50 + step * (x / 44) as u8]));
        assert!(!of(levels(1)).is_comparable());
        assert!(of(levels(2)).is_comparable());
    }

    #[test]
    fn a_thumbnail_reaches_from_black_to_white_whatever_the_tones() {
        let halves = GrayImage::from_fn(88, 88, |x, _| Luma([if x < 44 { 51 } else { 102 }]));
        let signature = Signature::of(&picture(halves));
        let plane = signature.plane().unwrap();
        assert_eq!([plane.values()[0], plane.values()[87]], [0.0, 1.0]);
        assert_eq!(signature.range(), [0.2, 0.4]);
    }

    #[test]
    fn small_pictures_are_compared_at_as_many_pixels_as_they_have() {
        let side =
            |width, height| Signature::of(&picture(GrayImage::new(width, height))).detail_side();
        // ten elevenths, in whole blocks of eight
        assert_eq!([side(36, 90), side(60, 60), side(97, 500), side(224, 224)], [32, 48, 88, 88]);
    }
}
