use serde::Serialize;

use crate::Facts;
use crate::statistics::quantile;

/// An image is an outlier when it is further from the median than this many standard deviations,
/// as estimated from the median absolute deviation.
const DEVIATIONS: f64 = 5.0;

/// An outlier is further from the median than this share of the images.
const USUAL_SHARE: f64 = 0.95;

/// The median absolute deviation of normally distributed values times this is their standard
/// deviation: 1 / Φ⁻¹(3/4).
const DEVIATION_OF_MAD: f64 = 1.4826;

/// The measures by which an image can be unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutlierMeasure {
    /// Width times height, in pixels; compared by ratio.
    Pixels,
    /// Width over height; compared by ratio.
    AspectRatio,
    /// Mean grey, 0 to 255; compared by difference.
    MeanGrey,
}

/// An image that is unlike all others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outlier {
    /// Its position among the images given.
    pub image: usize,
    /// The unusual measure.
    pub measure: OutlierMeasure,
    /// The value, in the measure's unit.
    pub value: f64,
}

/// The usual range in the data set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TypicalRange {
    /// The measure.
    pub measure: OutlierMeasure,
    /// The median of all images, in the measure's unit.
    pub median: f64,
    /// Below this an image is an outlier.
    pub lowest: f64,
    /// Above this an image is an outlier.
    pub highest: f64,
}

/// The images of a data set that are unlike all others, and the usual ranges.
///
/// An image is an outlier when all three hold: it is
/// - more than five standard deviations from the median, the deviation being 1.4826 times the median
///   absolute deviation over the whole data set (Leys et al. 2013);
/// - far enough to matter: a factor of 2 in pixels, of 1.25 in the aspect ratio, 25 levels in the
///   mean grey. Otherwise a picture with one pixel more than the others would be an outlier;
/// - further out than 95 % of the images. More than 5 % are not outliers but another group of
///   pictures, which the search for shortcuts covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outliers {
    /// One range for each measure.
    pub typical: Vec<TypicalRange>,
    /// The outliers, by measure and then by position.
    pub outliers: Vec<Outlier>,
}

impl OutlierMeasure {
    /// Every measure, in order.
    pub const ALL: [Self; 3] = [Self::Pixels, Self::AspectRatio, Self::MeanGrey];

    /// The value of an image, in the measure's unit.
    pub fn value(self, facts: &Facts) -> f64 {
        match self {
            Self::Pixels => facts.pixels() as f64,
            Self::AspectRatio => facts.aspect_ratio(),
            Self::MeanGrey => facts.mean_grey,
        }
    }

    /// The least distance from the median that matters, on the scale of [`scaled`](Self::scaled).
    fn least_distance(self) -> f64 {
        match self {
            Self::Pixels => 2.0_f64.ln(),
            Self::AspectRatio => 1.25_f64.ln(),
            Self::MeanGrey => 25.0,
        }
    }

    /// Turns ratios into differences.
    fn scaled(self, value: f64) -> f64 {
        match self {
            Self::Pixels | Self::AspectRatio => value.ln(),
            Self::MeanGrey => value,
        }
    }

    fn of_scaled(self, scaled: f64) -> f64 {
        match self {
            Self::Pixels | Self::AspectRatio => scaled.exp(),
            Self::MeanGrey => scaled,
        }
    }
}

impl Outliers {
    /// Finds the outliers of a data set.
    pub fn of(images: &[&Facts]) -> Self {
        let mut found = Self { typical: Vec::new(), outliers: Vec::new() };
        for measure in OutlierMeasure::ALL {
            let scaled: Vec<f64> =
                images.iter().map(|facts| measure.scaled(measure.value(facts))).collect();
            let Some((median, reach)) = usual(measure, &scaled) else { continue };
            found.typical.push(TypicalRange {
                measure,
                median: measure.of_scaled(median),
                lowest: measure.of_scaled(median - reach),
                highest: measure.of_scaled(median + reach),
            });
            let far =
                scaled.iter().enumerate().filter(|(_, value)| (*value - median).abs() > reach);
            found.outliers.extend(far.map(|(image, _)| Outlier {
                image,
                measure,
                value: measure.value(images[image]),
            }));
        }
        found
    }
}

/// The median and the usual distance from it. `None` without images.
fn usual(measure: OutlierMeasure, scaled: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = scaled.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = quantile(&sorted, 0.5)?;
    let mut distances: Vec<f64> = scaled.iter().map(|value| (value - median).abs()).collect();
    distances.sort_by(f64::total_cmp);
    let reach = (DEVIATIONS * DEVIATION_OF_MAD * quantile(&distances, 0.5)?)
        .max(measure.least_distance())
        .max(quantile(&distances, USUAL_SHARE)?);
    Some((median, reach))
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, ImageFormat, Luma};

    use super::*;

    fn picture(width: u32, height: u32, level: u8) -> Facts {
        let pixels = DynamicImage::from(ImageBuffer::from_pixel(width, height, Luma([level])));
        let mut png = std::io::Cursor::new(Vec::new());
        pixels.write_to(&mut png, ImageFormat::Png).unwrap();
        Facts::of(&imaging::decode(png.get_ref()).unwrap(), 1)
    }

    fn outliers(pictures: &[Facts]) -> Vec<(usize, OutlierMeasure)> {
        let found = Outliers::of(&pictures.iter().collect::<Vec<_>>());
        found.outliers.iter().map(|outlier| (outlier.image, outlier.measure)).collect()
    }

    #[test]
    fn a_picture_unlike_all_others_is_found_by_each_measure() {
        let mut pictures: Vec<Facts> = (0..20).map(|at| picture(40, 30, 100 + at % 5)).collect();
        assert_eq!(outliers(&pictures), []);
        pictures[3] = picture(10, 8, 100);
        pictures[5] = picture(30, 40, 100);
        pictures[9] = picture(40, 30, 200);
        let expected = [
            (3, OutlierMeasure::Pixels),
            (5, OutlierMeasure::AspectRatio),
            (9, OutlierMeasure::MeanGrey),
        ];
        assert_eq!(outliers(&pictures), expected);
    }

    #[test]
    fn among_equals_a_pixel_more_is_no_outlier() {
        let mut pictures: Vec<Facts> = (0..20).map(|_| picture(40, 30, 100)).collect();
        pictures[3] = picture(41, 30, 101);
        assert_eq!(outliers(&pictures), []);
    }

    #[test]
    fn many_pictures_of_another_size_are_no_outliers() {
        let pictures: Vec<Facts> = (0..21)
            .map(|at| if at % 3 == 0 { picture(10, 8, 90) } else { picture(40, 30, at) })
            .collect();
        let sizes = outliers(&pictures).into_iter().filter(|it| it.1 == OutlierMeasure::Pixels);
        assert_eq!(sizes.count(), 0);
    }

    #[test]
    fn the_typical_range_is_told_in_the_measures_own_unit() {
        let pictures: Vec<Facts> = (0..9).map(|at| picture(40, 30, 100 + 10 * at)).collect();
        let found = Outliers::of(&pictures.iter().collect::<Vec<_>>());
        let pixels = found.typical[0];
        assert!((pixels.median - 1200.0).abs() < 1e-6);
        assert!((pixels.lowest - 600.0).abs() < 1e-6 && (pixels.highest - 2400.0).abs() < 1e-6);
        // Greys 100 to 180: the median is 140, the median absolute deviation 20.
        let grey = found.typical[2];
        assert!((grey.highest - (140.0 + 5.0 * 1.4826 * 20.0)).abs() < 1e-9);
        assert_eq!(Outliers::of(&[]).typical, []);
    }
}
