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

/// The share of the darkest pixels that are all shown black, and of the brightest that are white.
const CLIPPED_SHARE: f32 = 0.005;

/// The least difference between black and white, of 65,535: two of 255 levels. Below it there is
/// nothing to compare but rounding.
const LEAST_RANGE: u16 = 514;

/// What is kept of a picture to find its copies by: 8 kB, whatever the picture's size.
#[derive(Clone)]
pub struct Signature {
    digest: PixelDigest,
    width: u32,
    height: u32,
    thumbnail: Option<Thumbnail>,
}

/// Tells whether two pictures have the same pixels, whatever their files' formats and colour modes.
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
    /// Looks at a picture, which is no longer needed then.
    pub fn of(picture: &Picture) -> Self {
        Self {
            digest: PixelDigest::of(picture),
            width: picture.width(),
            height: picture.height(),
            thumbnail: Thumbnail::of(picture),
        }
    }

    /// Tells whether two pictures have the same pixels.
    pub fn digest(&self) -> PixelDigest {
        self.digest
    }

    /// Width and height of the picture in pixels.
    pub(crate) fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// Whether it can be compared with others that have not the same pixels: neither tiny nor blank.
    pub fn is_comparable(&self) -> bool {
        self.thumbnail.is_some()
    }

    /// The thumbnail from 0, its own black, to 1, its own white, where it is comparable.
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
