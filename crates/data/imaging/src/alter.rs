//! The same picture with something removed, to see whether a model needs it: its grey levels, its
//! size, the traces of its encoding.

use fast_image_resize::pixels::{U8, U8x3};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

use crate::picture::Samples;
use crate::resize::resize_to;
use crate::{Picture, PictureFormat};

/// The new level of each of 256 levels of grey.
pub type GreyTable = [u8; 256];

/// Share of the pixels with each of 256 levels of grey, and the table that gives a picture the
/// levels of another.
#[derive(Debug, Clone, PartialEq)]
pub struct GreyLevels(Vec<f64>);

impl GreyLevels {
    /// The levels of a picture; of 16-bit samples the high byte counts. See
    /// [`grey_histogram`](crate::grey_histogram) for what grey is.
    pub fn of(picture: &Picture) -> Self {
        let mut counts = vec![0.0; 256];
        let grey = crate::Grey::of(picture);
        grey.levels().iter().for_each(|level| counts[usize::from(*level)] += 1.0);
        let pixels = grey.levels().len().max(1) as f64;
        Self(counts.into_iter().map(|count| count / pixels).collect())
    }

    /// The mean of several, with equal weight for every picture; `None` if there are none.
    pub fn mean(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        Self::weighted_mean(all.into_iter().map(|levels| (levels, 1)))
    }

    /// The mean of means, each with its number of pictures; `None` if there are none.
    pub fn weighted_mean(all: impl IntoIterator<Item = (Self, usize)>) -> Option<Self> {
        let mut sum = vec![0.0; 256];
        let mut pictures = 0;
        for (Self(shares), count) in all {
            sum.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share * count as f64);
            pictures += count;
        }
        (pictures > 0).then(|| Self(sum.into_iter().map(|it| it / pictures as f64).collect()))
    }

    /// The mean level, 0 to 255.
    pub fn mean_level(&self) -> f64 {
        self.0.iter().enumerate().map(|(level, share)| level as f64 * share).sum()
    }

    /// The table that maps these levels to those of `reference`: each level goes to the one below
    /// which an equally large share of the reference lies, measured at the middle of each. This is
    /// histogram matching, as in scikit-image's `match_histograms`. It never reverses the order of
    /// two levels.
    pub fn matched_to(&self, reference: &Self) -> GreyTable {
        let mut table = [0; 256];
        let (mut below, mut level, mut reached) = (0.0, 0_usize, reference.0[0]);
        for (from, share) in self.0.iter().enumerate() {
            let middle = below + share / 2.0;
            while reached < middle && level < 255 {
                level += 1;
                reached += reference.0[level];
            }
            table[from] = level as u8;
            below += share;
        }
        table
    }
}

/// A picture that JPEG cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("encode a picture as JPEG: {0}")]
pub struct ReencodeError(#[from] image::ImageError);

impl Picture {
    /// The picture in 8 bits, with every channel mapped by the same table, so that grey stays grey.
    #[must_use]
    pub fn through(&self, table: &GreyTable) -> Self {
        let at = |level: u8| table[usize::from(level)];
        self.of_8_bits().with(|it| match it {
            Samples::Grey8(pixels) => {
                Samples::Grey8(pixels.into_iter().map(|p| U8::new(at(p.0))).collect())
            }
            Samples::Rgb8(pixels) => {
                Samples::Rgb8(pixels.into_iter().map(|p| U8x3::new(p.0.map(at))).collect())
            }
            deep => deep,
        })
    }

    /// The picture at `width` × `height`, proportions not kept, by the filter of
    /// [`Preprocessing::resize`](crate::Preprocessing::resize), in 8 bits.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let (from, to) = ([self.width(), self.height()], [width, height]);
        let resized = self.of_8_bits().with(|it| match it {
            Samples::Grey8(pixels) => Samples::Grey8(resize_to(&pixels, from, to)),
            Samples::Rgb8(pixels) => Samples::Rgb8(resize_to(&pixels, from, to)),
            deep => deep,
        });
        resized.of_size(to)
    }

    /// The picture encoded as a JPEG file of red, green and blue of `quality`, 1 to 100, and
    /// decoded again: whatever its file was, it now has the traces of this encoding.
    ///
    /// # Errors
    /// When a side is longer than 65,535 pixels, the limit of JPEG.
    pub fn reencoded(&self, quality: u8) -> Result<Self, ReencodeError> {
        let mut rgb = Vec::with_capacity(self.width() as usize * self.height() as usize * 3);
        match self.of_8_bits().samples() {
            Samples::Grey8(pixels) => rgb.extend(pixels.iter().flat_map(|p| [p.0; 3])),
            Samples::Rgb8(pixels) => rgb.extend(pixels.iter().flat_map(|p| p.0)),
            Samples::Grey16(_) | Samples::Rgb16(_) => {}
        }
        let mut file = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut file, quality);
        let (width, height) = (self.width(), self.height());
        image::ImageEncoder::write_image(encoder, &rgb, width, height, ExtendedColorType::Rgb8)?;
        let mut reader = ImageReader::with_format(Cursor::new(file), ImageFormat::Jpeg);
        reader.limits(Limits::no_limits());
        let pixels = DynamicImage::ImageRgb8(reader.decode()?.into_rgb8());
        Ok(Self::new(PictureFormat::Jpeg, None, &pixels).unwrap_or_else(|| self.clone()))
    }

    /// The high bytes of deeper samples; others as they are.
    fn of_8_bits(&self) -> Self {
        let high = |sample: u16| (sample >> 8) as u8;
        self.clone().with(|it| match it {
            Samples::Grey16(pixels) => {
                Samples::Grey8(pixels.into_iter().map(|p| U8::new(high(p.0))).collect())
            }
            Samples::Rgb16(pixels) => {
                Samples::Rgb8(pixels.into_iter().map(|p| U8x3::new(p.0.map(high))).collect())
            }
            shallow => shallow,
        })
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, Rgb};

    use super::*;
    use crate::Normalisation;
    use crate::{Grey, Preprocessing};

    fn picture(pixels: impl Into<DynamicImage>) -> Picture {
        Picture::new(PictureFormat::Png, None, &pixels.into()).unwrap()
    }

    fn ramp(from: u8, step: u8) -> Picture {
        picture(ImageBuffer::from_fn(16, 4, |x, _| Luma([from + step * x as u8])))
    }

    #[test]
    fn matched_levels_are_those_of_the_reference() {
        let (dark, bright) = (ramp(3, 2), ramp(100, 9));
        let table = GreyLevels::of(&dark).matched_to(&GreyLevels::of(&bright));
        assert_eq!(Grey::of(&dark.through(&table)), Grey::of(&bright));
        let own = GreyLevels::of(&dark).matched_to(&GreyLevels::of(&dark));
        assert_eq!(Grey::of(&dark.through(&own)), Grey::of(&dark), "its own levels change nothing");
    }

    #[test]
    fn the_mean_counts_every_picture_alike() {
        let levels = [ramp(0, 0), ramp(200, 0)].iter().map(GreyLevels::of).collect::<Vec<_>>();
        assert!((GreyLevels::mean(levels).unwrap().mean_level() - 100.0).abs() < 1e-9);
        assert_eq!(GreyLevels::mean([]), None);
    }

    #[test]
    fn colours_go_through_the_table_channel_by_channel() {
        let mut table = [0; 256];
        (table[10], table[20], table[30]) = (1, 2, 3);
        let coloured = picture(ImageBuffer::from_pixel(1, 1, Rgb([10_u8, 20, 30])));
        let unit = Preprocessing::bilinear(1, Normalisation::Unit);
        let seen = unit.apply(&coloured.through(&table));
        assert_eq!(seen, [1.0, 2.0, 3.0].map(|level: f32| level / 255.0));
    }

    #[test]
    fn sixteen_bits_keep_their_high_byte() {
        let deep = picture(ImageBuffer::from_pixel(2, 2, Luma([0xAB12_u16])));
        assert_eq!(Grey::of(&deep.resized(4, 1)).levels(), [0xAB; 4]);
        let resized = deep.resized(4, 1);
        assert_eq!((resized.width(), resized.height()), (4, 1));
    }

    #[test]
    fn jpeg_changes_noise_and_keeps_what_is_even() {
        let even = picture(ImageBuffer::from_pixel(20, 12, Luma([77_u8])));
        let back = even.reencoded(90).unwrap();
        assert_eq!((back.width(), back.height(), back.format()), (20, 12, PictureFormat::Jpeg));
        assert!(Grey::of(&back).levels().iter().all(|level| level.abs_diff(77) <= 1));
        let noise = picture(ImageBuffer::from_fn(20, 12, |x, y| {
            Luma([((x * 7919 + y * 104_729) % 251) as u8])
        }));
        assert_ne!(Grey::of(&noise.reencoded(30).unwrap()), Grey::of(&noise));
    }
}
