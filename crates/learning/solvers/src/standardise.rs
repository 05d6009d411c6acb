//! Features on one scale: mean 0 and, nearly always, deviation 1 over the training images.

use std::ops::Range;

use rayon::prelude::*;

use crate::rows::Rows;
use crate::{Error, Result};

/// A feature that varies less than this over the training images carries no information there. It
/// is centred but not scaled up, as in scikit-learn's `StandardScaler`: dividing by its tiny
/// deviation would turn one different image into a huge value.
const SMALLEST_STD: f64 = 1e-6;

/// No feature is scaled up by more than ten times the factor of the median feature. Some features
/// hardly ever differ from 0. In an image in which one of them does, it alone would reach hundreds
/// of standard deviations, and decide.
const LEAST_STD_OF_MEDIAN: f64 = 0.1;

/// Images whose sums are added up by one thread. A constant, so that every sum has one order.
const IMAGES_OF_A_SUM: usize = 4096;

/// The value subtracted from each feature, and the factor applied afterwards: `x̂ = (x − mean) ·
/// scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardisation {
    /// The mean of each column over the training images.
    pub mean: Vec<f32>,
    /// One over the deviation of each column (of the population, as in scikit-learn), within the
    /// limits above; 0 if the head does not read the column.
    pub scale: Vec<f32>,
}

impl Standardisation {
    /// Fits it to some images of a matrix. Columns that are not `used` get the mean 0 and the scale
    /// 0. The median is that of the used columns that vary (of two middle ones the smaller).
    pub(crate) fn of(rows: &Rows<'_>, images: &[usize], used: &[usize]) -> Result<Self> {
        let count = images.len() as f64;
        let mean = sums(rows, images, used, |_, value| value);
        let mean: Vec<f64> = mean.iter().map(|sum| sum / count).collect();
        let squares = sums(rows, images, used, |place, value| {
            let off = value - mean[place];
            off * off
        });
        let std: Vec<f64> = squares.iter().map(|sum| (sum / count).sqrt()).collect();

        let mut varying: Vec<f64> =
            std.iter().copied().filter(|std| *std >= SMALLEST_STD).collect();
        varying.sort_by(f64::total_cmp);
        if varying.is_empty() {
            return Err(Error::NothingVaries);
        }
        let least = varying[(varying.len() - 1) / 2] * LEAST_STD_OF_MEDIAN;
        let mut fitted = Self { mean: vec![0.0; rows.columns()], scale: vec![0.0; rows.columns()] };
        for (place, &column) in used.iter().enumerate() {
            fitted.mean[column] = mean[place] as f32;
            let divisor = if std[place] < SMALLEST_STD { 1.0 } else { std[place].max(least) };
            fitted.scale[column] = (1.0 / divisor) as f32;
        }
        Ok(fitted)
    }

    /// One value of a row, standardised.
    pub(crate) fn of_value(&self, row: &[f32], column: usize) -> f32 {
        (row[column] - self.mean[column]) * self.scale[column]
    }
}

/// For each used column, the sum of `term(place, value)` over the images, in a fixed order.
fn sums(
    rows: &Rows<'_>,
    images: &[usize],
    used: &[usize],
    term: impl Fn(usize, f64) -> f64 + Sync,
) -> Vec<f64> {
    let parts: Vec<Vec<f64>> = images
        .par_chunks(IMAGES_OF_A_SUM)
        .map(|images| {
            let mut sums = vec![0.0; used.len()];
            for &image in images {
                let row = rows.row(image);
                for (place, (sum, &column)) in sums.iter_mut().zip(used).enumerate() {
                    *sum += term(place, f64::from(row[column]));
                }
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; used.len()];
    for part in parts {
        for (total, sum) in total.iter_mut().zip(part) {
            *total += sum;
        }
    }
    total
}

/// The head's input for the images of a fit: standardised, and only the columns it reads.
#[derive(Debug)]
pub(crate) struct Design<'a> {
    rows: Rows<'a>,
    images: Vec<usize>,
    used: Vec<usize>,
    standardisation: Standardisation,
}

impl<'a> Design<'a> {
    /// Standardises `images`, in that order, by their own means and deviations.
    pub(crate) fn fitted(rows: Rows<'a>, images: Vec<usize>, used: Vec<usize>) -> Result<Self> {
        let standardisation = Standardisation::of(&rows, &images, &used)?;
        Ok(Self { rows, images, used, standardisation })
    }

    /// Other images, standardised as these are.
    pub(crate) fn others(&self, images: Vec<usize>) -> Self {
        Self {
            rows: self.rows,
            images,
            used: self.used.clone(),
            standardisation: self.standardisation.clone(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.images.len()
    }

    pub(crate) fn columns(&self) -> usize {
        self.used.len()
    }

    pub(crate) fn standardisation(&self) -> &Standardisation {
        &self.standardisation
    }

    /// Puts rows of the columns read back into all columns of the matrix, with 0 elsewhere.
    pub(crate) fn spread(&self, rows: &[f32]) -> Vec<f32> {
        let (read, columns) = (self.used.len(), self.rows.columns());
        let mut spread = vec![0.0; rows.len() / read * columns];
        for (row, spread) in rows.chunks_exact(read).zip(spread.chunks_exact_mut(columns)) {
            for (value, &column) in row.iter().zip(&self.used) {
                spread[column] = *value;
            }
        }
        spread
    }

    /// The standardised features of the images at `places`, only the columns read.
    pub(crate) fn rows_at(&self, places: Range<usize>) -> Vec<f32> {
        self.read(&self.images[places])
    }

    /// The same for positions that are not consecutive.
    pub(crate) fn rows_of(&self, places: &[usize]) -> Vec<f32> {
        let images: Vec<usize> = places.iter().map(|place| self.images[*place]).collect();
        self.read(&images)
    }

    fn read(&self, images: &[usize]) -> Vec<f32> {
        let mut values = Vec::with_capacity(images.len() * self.used.len());
        for &image in images {
            let row = self.rows.row(image);
            let features = self.used.iter();
            values.extend(features.map(|&column| self.standardisation.of_value(row, column)));
        }
        values
    }

    /// All of them, computed by all threads.
    pub(crate) fn all_rows(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len() * self.columns()];
        let parts = values.par_chunks_mut(self.columns()).zip(self.images.par_iter());
        parts.for_each(|(values, &image)| {
            let row = self.rows.row(image);
            for (value, &column) in values.iter_mut().zip(&self.used) {
                *value = self.standardisation.of_value(row, column);
            }
        });
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(values: &[f32], columns: usize, used: &[usize]) -> Result<Standardisation> {
        let rows = Rows::new(values, columns)?;
        let images: Vec<usize> = (0..rows.len()).collect();
        Standardisation::of(&rows, &images, used)
    }

    #[test]
    fn features_get_mean_0_and_the_deviation_of_the_population_1() {
        // 1 and 5 are 2 from their mean 3; −1 and 7 are 4 from 3.
        let fitted = fitted(&[1.0, -1.0, 5.0, 7.0], 2, &[0, 1]).unwrap();
        let expected = Standardisation { mean: vec![3.0, 3.0], scale: vec![0.5, 0.25] };
        assert_eq!(fitted, expected);
    }

    #[test]
    fn a_feature_that_does_not_vary_is_not_scaled_up() {
        let fitted = fitted(&[7.0, 0.0, 7.0, 4.0], 2, &[0, 1]).unwrap();
        assert_eq!(fitted.scale, [1.0, 0.5]);
    }

    #[test]
    fn a_feature_that_hardly_varies_is_scaled_up_ten_times_the_median_at_most() {
        // Deviations of 0.002, 2 and 4; the median is 2.
        let fitted = fitted(&[0.0, 0.0, 0.0, 0.004, 4.0, 8.0], 3, &[0, 1, 2]).unwrap();
        assert_eq!(fitted.scale, [1.0 / 0.2, 0.5, 0.25]);
    }

    #[test]
    fn columns_that_are_not_read_count_for_nothing() {
        // If the first column were read, the median would be its 1000.
        let values = [0.0, 0.0, 0.0, 2000.0, 4.0, 1.0];
        let fitted = fitted(&values, 3, &[1, 2]).unwrap();
        assert_eq!(fitted.scale, [0.0, 0.5, 2.0]);
        assert_eq!(fitted.mean, [0.0, 2.0, 0.5]);
    }

    #[test]
    fn images_that_are_all_alike_are_refused() {
        assert_eq!(fitted(&[1.0, 2.0, 1.0, 2.0], 2, &[0, 1]), Err(Error::NothingVaries));
        assert_eq!(fitted(&[1.0, 2.0], 2, &[0, 1]), Err(Error::NothingVaries));
    }
}
