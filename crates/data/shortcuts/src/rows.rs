//! Numbers of many pictures.

use picture_checks::Facts;
use rayon::prelude::*;

use crate::features::Feature;

/// A row of numbers for each picture, padded with zeros to whole lanes.
pub(crate) struct Rows {
    width: usize,
    stride: usize,
    values: Vec<f32>,
}

impl Rows {
    /// How many numbers are computed at once.
    pub(crate) const LANES: usize = 16;

    /// Rows of `width` numbers each.
    pub(crate) fn new(width: usize, values: impl Iterator<Item = f32>) -> Self {
        let stride = width.next_multiple_of(Self::LANES);
        let mut rows = Vec::with_capacity(values.size_hint().0 / width.max(1) * stride);
        for (at, value) in values.enumerate() {
            rows.push(value);
            if (at + 1) % width == 0 {
                rows.resize(rows.len() + stride - width, 0.0);
            }
        }
        Self { width, stride, values: rows }
    }

    /// The pictures at 32×32.
    pub(crate) fn of_thumbnails(pictures: &[&Facts]) -> Self {
        let width = pictures.first().map_or(1, |facts| facts.thumbnail.levels().len());
        let levels = pictures.iter().flat_map(|facts| facts.thumbnail.levels());
        Self::new(width, levels.map(|level| f32::from(*level)))
    }

    /// These features of the pictures, scaled.
    pub(crate) fn of_features(scaled: &Scaled, pictures: &[&Facts]) -> Self {
        let values: Vec<f32> =
            pictures.par_iter().flat_map_iter(|facts| scaled.values(facts)).collect();
        Self::new(scaled.features.len().max(1), values.into_iter())
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.stride.max(1)
    }

    /// How many numbers each has, without padding.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// One of them, with padding.
    pub(crate) fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.stride..][..self.stride]
    }
}

/// Features, scaled by their statistics among the training pictures.
pub(crate) struct Scaled {
    features: Vec<Feature>,
    /// Mean and standard deviation of each.
    moments: Vec<(f32, f32)>,
}

impl Scaled {
    /// Scales each to mean 0 and deviation 1: for features of different units.
    pub(crate) fn each(features: Vec<Feature>, training: &[&Facts]) -> Self {
        let moments = features.par_iter().map(|feature| moments(*feature, training)).collect();
        Self { features, moments }
    }

    /// Scales to mean 0 each and a mean variance of 1 together: for features of one unit, which are
    /// more informative where they vary more.
    pub(crate) fn alike(features: Vec<Feature>, training: &[&Facts]) -> Self {
        let mut scaled = Self::each(features, training);
        let squares: f32 = scaled.moments.iter().map(|(_, deviation)| deviation * deviation).sum();
        let deviation = (squares / scaled.moments.len().max(1) as f32).sqrt();
        scaled.moments.iter_mut().for_each(|moments| moments.1 = deviation);
        scaled
    }

    fn values(&self, facts: &Facts) -> impl Iterator<Item = f32> {
        let pairs = self.features.iter().zip(&self.moments);
        pairs.map(|(feature, (mean, deviation))| (feature.of(facts) - mean) / deviation)
    }
}

fn moments(feature: Feature, pictures: &[&Facts]) -> (f32, f32) {
    let count = pictures.len().max(1) as f64;
    let values = || pictures.iter().map(|facts| f64::from(feature.of(facts)));
    let mean = values().sum::<f64>() / count;
    let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean as f32, variance.sqrt() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::facts_of;

    #[test]
    fn rows_are_filled_up_and_their_width_is_kept() {
        let rows = Rows::new(3, (1..=6_u8).map(f32::from));
        assert_eq!((rows.len(), rows.width()), (2, 3));
        assert_eq!(&rows.row(1)[..4], [4.0, 5.0, 6.0, 0.0]);
        assert_eq!(rows.row(1).len(), Rows::LANES);
    }

    #[test]
    fn features_are_scaled_by_the_training_pictures() {
        let pictures = [(10, 20), (30, 24)].map(|(x, y)| facts_of(x, y, |_, _| 0));
        let training: Vec<&Facts> = pictures.iter().collect();
        let asked = facts_of(40, 28, |_, _| 0);
        // Means 20 and 22, deviations 10 and 2.
        let features = || vec![Feature::Width, Feature::Height];
        let rows = Rows::of_features(&Scaled::each(features(), &training), &[&asked]);
        assert_eq!(&rows.row(0)[..2], [2.0, 3.0]);
        let rows = Rows::of_features(&Scaled::alike(features(), &training), &[&asked]);
        let together = 52.0_f32.sqrt();
        assert_eq!(&rows.row(0)[..2], [20.0 / together, 6.0 / together]);
    }
}
