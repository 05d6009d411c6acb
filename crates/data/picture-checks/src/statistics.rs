use dataset::{ClassIndex, Split};
use imaging::GREY_BINS;
use serde::Serialize;

use crate::Facts;

/// A picture's facts with its class and split.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// The measurements.
    pub facts: &'a Facts,
    /// The picture's class.
    pub class: ClassIndex,
    /// The picture's split.
    pub split: Split,
}

/// How bright the pictures of one class are in one split. Each picture counts once, whatever its
/// size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IntensityStatistics {
    /// The class.
    pub class: ClassIndex,
    /// The split.
    pub split: Split,
    /// Pictures of it.
    pub images: u64,
    /// The pictures' mean grey, 0 black to 255 white.
    pub mean_grey: Quantiles,
    /// The pictures' standard deviation of grey, in the same levels: their contrast.
    pub grey_deviation: Quantiles,
    /// Mean of the pictures' share of black pixels (grey 0).
    pub black_share: f64,
    /// Mean of the pictures' share of white pixels (grey 255).
    pub white_share: f64,
    /// Mean of the pictures' histograms: the share of the pixels in each of 32 bins of grey.
    pub mean_histogram: [f64; GREY_BINS],
}

/// The distribution of a measure, by linear interpolation between its sorted values, as
/// `numpy.quantile` does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// 10 % lie below it.
    pub tenth: f64,
    /// Half lie below it.
    pub median: f64,
    /// 90 % lie below it.
    pub ninetieth: f64,
}

impl Quantiles {
    /// The quantiles of values in any order. `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share| quantile(&sorted, share);
        Some(Self { tenth: at(0.1)?, median: at(0.5)?, ninetieth: at(0.9)? })
    }
}

/// The `share` quantile of sorted values.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let position = share * (sorted.len().checked_sub(1)? as f64);
    let low = sorted[position.floor() as usize];
    let high = sorted[position.ceil() as usize];
    Some(low + (high - low) * position.fract())
}

/// The brightness of each class in each split that has it, splits in order and classes within.
pub fn intensity_statistics(classes: usize, images: &[Described<'_>]) -> Vec<IntensityStatistics> {
    let cells = Split::ALL.into_iter().flat_map(|split| (0..classes).map(move |at| (split, at)));
    cells
        .filter_map(|(split, class)| {
            let members: Vec<&Facts> = images
                .iter()
                .filter(|image| image.split == split && image.class.0 == class)
                .map(|image| image.facts)
                .collect();
            describe(ClassIndex(class), split, &members)
        })
        .collect()
}

fn describe(class: ClassIndex, split: Split, members: &[&Facts]) -> Option<IntensityStatistics> {
    let mean = |value: &dyn Fn(&Facts) -> f64| {
        members.iter().map(|facts| value(facts)).sum::<f64>() / members.len() as f64
    };
    Some(IntensityStatistics {
        class,
        split,
        images: members.len() as u64,
        mean_grey: Quantiles::of(members.iter().map(|facts| facts.mean_grey))?,
        grey_deviation: Quantiles::of(members.iter().map(|facts| facts.grey_deviation))?,
        black_share: mean(&|facts| facts.black_share),
        white_share: mean(&|facts| facts.white_share),
        mean_histogram: std::array::from_fn(|bin| mean(&|facts| facts.grey_histogram[bin])),
    })
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, ImageFormat, Luma};

    use super::*;

    fn of_grey(level: u8) -> Facts {
        let pixels = DynamicImage::from(ImageBuffer::from_pixel(2, 2, Luma([level])));
        let mut png = std::io::Cursor::new(Vec::new());
        pixels.write_to(&mut png, ImageFormat::Png).unwrap();
        Facts::of(&imaging::decode(png.get_ref()).unwrap(), 1)
    }

    #[test]
    fn quantiles_are_numpys() {
        // np.quantile([7, 1, 3, 8, 2], [0.1, 0.5, 0.9])
        let quantiles = Quantiles::of([7.0, 1.0, 3.0, 8.0, 2.0]).unwrap();
        assert!((quantiles.tenth - 1.4).abs() < 1e-12);
        assert_eq!(quantiles.median, 3.0);
        assert!((quantiles.ninetieth - 7.6).abs() < 1e-12);
        assert_eq!(Quantiles::of([]), None);
    }

    #[test]
    fn classes_are_described_in_each_split_that_has_them() {
        let (dark, bright) = (of_grey(0), of_grey(255));
        let image = |facts, class, split| Described { facts, class: ClassIndex(class), split };
        let images = [
            image(&dark, 1, Split::Train),
            image(&bright, 1, Split::Train),
            image(&bright, 0, Split::Test),
        ];
        let statistics = intensity_statistics(2, &images);
        assert_eq!(statistics.len(), 2);
        let train = &statistics[0];
        assert_eq!((train.class, train.split, train.images), (ClassIndex(1), Split::Train, 2));
        assert_eq!(train.mean_grey.median, 127.5);
        assert_eq!((train.black_share, train.white_share), (0.5, 0.5));
        assert_eq!((train.mean_histogram[0], train.mean_histogram[31]), (0.5, 0.5));
        assert_eq!((statistics[1].class, statistics[1].images), (ClassIndex(0), 1));
    }
}
