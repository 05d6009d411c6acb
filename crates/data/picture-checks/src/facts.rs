use imaging::{ColourMode, GREY_BINS, Grey, Picture, PictureFormat};
use serde::Serialize;

use crate::marks::{self, Mark};

/// Width and height of a [`GreyThumbnail`], in pixels.
pub const THUMBNAIL_SIDE: usize = 32;

/// A picture is blank when at least this share of its pixels is within two levels of its most
/// common grey.
pub const BLANK_SHARE: f64 = 0.999;

/// How far from the most common grey a pixel of a blank picture may be, in levels of 256: the error
/// of JPEG on a constant.
const BLANK_TOLERANCE: usize = 2;

/// The measurements of one picture, made once, when it is decoded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How the file stores its colours.
    pub colour_mode: ColourMode,
    /// The file's format, by content.
    pub format: PictureFormat,
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// Share of the pixels in each of 32 equally wide bins of grey, black to white; they add up to
    /// 1. [`imaging::grey_histogram`] defines grey.
    pub grey_histogram: [f64; GREY_BINS],
    /// Mean grey, 0 black to 255 white.
    pub mean_grey: f64,
    /// Standard deviation of grey, in the same levels.
    pub grey_deviation: f64,
    /// Share of the pixels that are black: grey 0.
    pub black_share: f64,
    /// Share of the pixels that are white: grey 255.
    pub white_share: f64,
    /// Share of the pixels within two levels of the most common grey.
    pub uniform_share: f64,
    /// Text, pen strokes and coloured marks that were found.
    pub marks: Vec<Mark>,
    /// Share of the pixels with each of the 256 levels of grey. Not serialised: reports show the
    /// histogram.
    #[serde(skip)]
    pub level_shares: LevelShares,
    /// The picture at 32×32. Not serialised: no report displays its values.
    #[serde(skip)]
    pub thumbnail: GreyThumbnail,
}

/// Shares of the 256 levels of grey, black to white; they add up to 1.
#[derive(Clone, PartialEq)]
pub struct LevelShares(Box<[f32; 256]>);

impl LevelShares {
    /// The share of each level: 256 values.
    pub fn shares(&self) -> &[f32] {
        self.0.as_slice()
    }
}

impl std::fmt::Debug for LevelShares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LevelShares(256)")
    }
}

/// A picture's grey at 32×32, proportions not kept, resized as the model's input is.
#[derive(Clone, PartialEq, Eq)]
pub struct GreyThumbnail(Box<[u8; THUMBNAIL_SIDE * THUMBNAIL_SIDE]>);

impl Facts {
    /// Measures a picture that was decoded from a file of `file_bytes` bytes.
    pub fn of(picture: &Picture, file_bytes: u64) -> Self {
        let grey = Grey::of(picture);
        let counts = count_levels(&grey);
        let pixels = grey.levels().len().max(1) as f64;
        let share = |count: u64| count as f64 / pixels;
        let (mean_grey, grey_deviation) = moments(&counts);
        Self {
            width: picture.width(),
            height: picture.height(),
            colour_mode: picture.colour_mode(),
            format: picture.format(),
            file_bytes,
            grey_histogram: std::array::from_fn(|bin| {
                let levels = counts.len() / GREY_BINS;
                share(counts[bin * levels..][..levels].iter().sum())
            }),
            mean_grey,
            grey_deviation,
            black_share: share(counts[0]),
            white_share: share(counts[255]),
            uniform_share: share(around_the_most_common(&counts)),
            marks: marks::find(picture, &grey),
            level_shares: LevelShares(Box::new(counts.map(|count| share(count) as f32))),
            thumbnail: GreyThumbnail::of(&grey),
        }
    }

    /// Width times height.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of the file for each pixel: how well it could be compressed.
    pub fn bytes_per_pixel(&self) -> f64 {
        self.file_bytes as f64 / self.pixels().max(1) as f64
    }

    /// Width over height.
    pub fn aspect_ratio(&self) -> f64 {
        f64::from(self.width) / f64::from(self.height.max(1))
    }

    /// Share of the pixels that are black or white, where a window or a scan has clipped the
    /// content.
    pub fn saturated_share(&self) -> f64 {
        self.black_share + self.white_share
    }

    /// Whether the picture shows nothing: all of it, or all but 0.1 %, is one grey. See
    /// [`BLANK_SHARE`].
    pub fn is_blank(&self) -> bool {
        self.uniform_share >= BLANK_SHARE
    }
}

impl GreyThumbnail {
    fn of(grey: &Grey) -> Self {
        let side = THUMBNAIL_SIDE as u32;
        let resized = grey.resized(side, side);
        Self(Box::new(std::array::from_fn(|at| resized.levels()[at])))
    }

    /// The grey of each pixel, row by row: 32 × 32 values, 0 black to 255 white.
    pub fn levels(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl std::fmt::Debug for GreyThumbnail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GreyThumbnail(32×32)")
    }
}

fn count_levels(grey: &Grey) -> [u64; 256] {
    let mut counts = [0; 256];
    for level in grey.levels() {
        counts[usize::from(*level)] += 1;
    }
    counts
}

/// Mean and standard deviation (over all pixels, not a sample), from exact integer sums.
fn moments(counts: &[u64; 256]) -> (f64, f64) {
    let sums = counts.iter().zip(0_u64..).fold((0_u64, 0_u64, 0_u64), |sums, (count, level)| {
        (sums.0 + count, sums.1 + count * level, sums.2 + count * level * level)
    });
    let (pixels, sum, squares) = (sums.0.max(1) as f64, sums.1 as f64, sums.2 as f64);
    let mean = sum / pixels;
    (mean, (squares / pixels - mean * mean).max(0.0).sqrt())
}

fn around_the_most_common(counts: &[u64; 256]) -> u64 {
    let window = |level: usize| -> u64 {
        let first = level.saturating_sub(BLANK_TOLERANCE);
        counts[first..=(level + BLANK_TOLERANCE).min(255)].iter().sum()
    };
    (0..counts.len()).map(window).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb};

    use super::*;

    fn facts(pixels: impl Into<DynamicImage>) -> Facts {
        let mut png = Cursor::new(Vec::new());
        pixels.into().write_to(&mut png, ImageFormat::Png).unwrap();
        Facts::of(&imaging::decode(png.get_ref()).unwrap(), png.get_ref().len() as u64)
    }

    #[test]
    fn a_picture_is_described_by_hand_computed_values() {
        // Of four pixels two are black, one has grey 100 and one is white.
        let pixels = ImageBuffer::from_fn(4, 1, |x, _| Luma([[0_u8, 0, 100, 255][x as usize]]));
        let facts = facts(pixels);
        assert_eq!((facts.width, facts.height, facts.pixels()), (4, 1, 4));
        assert_eq!((facts.colour_mode, facts.format), (ColourMode::Grey, PictureFormat::Png));
        assert_eq!(facts.mean_grey, 88.75);
        // sqrt((2 * 88.75² + 11.25² + 166.25²) / 4)
        assert!((facts.grey_deviation - 104.305_740_5).abs() < 1e-6, "{}", facts.grey_deviation);
        assert_eq!(facts.grey_histogram[0], 0.5);
        assert_eq!(facts.grey_histogram[100 / 8], 0.25);
        assert_eq!(facts.grey_histogram[31], 0.25);
        let levels: Vec<_> =
            [0, 99, 100, 101, 255].map(|at| facts.level_shares.shares()[at]).into();
        assert_eq!(levels, [0.5, 0.0, 0.25, 0.0, 0.25]);
        assert_eq!(facts.level_shares.shares().iter().sum::<f32>(), 1.0);
        assert_eq!((facts.black_share, facts.white_share), (0.5, 0.25));
        assert_eq!((facts.saturated_share(), facts.aspect_ratio()), (0.75, 4.0));
        assert_eq!(facts.bytes_per_pixel(), facts.file_bytes as f64 / 4.0);
        assert_eq!(facts.uniform_share, 0.5);
    }

    #[test]
    fn the_histogram_is_that_of_imaging() {
        let pixels = ImageBuffer::from_fn(40, 30, |x, y| Rgb([(x * 6) as u8, (y * 8) as u8, 77]));
        let picture = {
            let mut png = Cursor::new(Vec::new());
            DynamicImage::from(pixels).write_to(&mut png, ImageFormat::Png).unwrap();
            imaging::decode(png.get_ref()).unwrap()
        };
        assert_eq!(Facts::of(&picture, 1).grey_histogram, imaging::grey_histogram(&picture));
    }

    #[test]
    fn constant_pictures_are_blank_and_dim_ones_are_not() {
        let constant = ImageBuffer::from_pixel(50, 50, Luma([17_u8]));
        assert!(facts(constant.clone()).is_blank());
        // A constant after JPEG, and two dead pixels.
        let nearly = ImageBuffer::from_fn(50, 50, |x, y| {
            Luma([if (x, y) == (9, 9) { 255 } else { 17 + (x % 3) as u8 }])
        });
        assert!(facts(nearly).is_blank());
        let dim = ImageBuffer::from_fn(50, 50, |x, _| Luma([if x == 20 { 23_u8 } else { 17 }]));
        assert!(!facts(dim).is_blank());
    }

    #[test]
    fn facts_stay_small() {
        let facts = facts(ImageBuffer::from_pixel(600, 400, Luma([17_u8])));
        let levels = size_of_val(facts.level_shares.shares());
        let heap =
            facts.thumbnail.levels().len() + levels + facts.marks.capacity() * size_of::<Mark>();
        assert!(size_of::<Facts>() + heap < 6 * 1024);
    }

    #[test]
    fn the_thumbnail_shows_the_picture_from_its_upper_left_corner() {
        let pixels =
            ImageBuffer::from_fn(64, 96, |x, y| Luma([if x < 2 && y < 3 { 255_u8 } else { 0 }]));
        let facts = facts(pixels);
        assert!(facts.thumbnail.levels()[0] > 120);
        assert_eq!(facts.thumbnail.levels()[3..].iter().filter(|level| **level > 60).count(), 0);
    }

    #[test]
    fn facts_are_serialised_with_readable_names() {
        let json =
            serde_json::to_value(facts(ImageBuffer::from_pixel(3, 2, Luma([0_u8])))).unwrap();
        assert_eq!(json["colour_mode"], "grey");
        assert_eq!(json["black_share"], 1.0);
        assert!(json.get("thumbnail").is_none() && json.get("level_shares").is_none());
    }
}
