//! Scores of the answers to held-out images.

use std::collections::BTreeMap;

use dataset::{ClassIndex, GroupNumber};
use metrics::{LabelledLogits, auroc_one_vs_rest};

use crate::folds::Folds;
use crate::{Error, Result};

/// Candidates that are worse than the best by at most this many standard errors of their difference
/// count as equally good.
pub const TIE_STANDARD_ERRORS: f64 = 1.0;

/// Which images are answered right: the answer is the first of the largest logits.
pub(crate) fn right(logits: &[Vec<f32>], labels: &[usize]) -> Vec<bool> {
    let is_right = |(row, label): (&Vec<f32>, &usize)| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter().position(|logit| *logit == largest) == Some(*label)
    };
    logits.iter().zip(labels).map(is_right).collect()
}

/// The share of right answers in each fold.
pub(crate) fn share_by_fold(right: &[bool], folds: &Folds) -> Vec<f64> {
    let of_fold = |fold| {
        let held = folds.of_images().iter().zip(right).filter(|(of, _)| **of == fold);
        let held: Vec<bool> = held.map(|(_, right)| *right).collect();
        held.iter().filter(|right| **right).count() as f64 / held.len() as f64
    };
    (0..folds.count()).map(of_fold).collect()
}

/// Probabilities at the temperature that fits all of the logits best.
pub(crate) struct Calibrated {
    /// Of each image, −ln of the probability of its class.
    pub(crate) losses: Vec<f64>,
    pub(crate) temperature: f64,
    pub(crate) auroc: Option<f64>,
}

impl Calibrated {
    pub(crate) fn of(logits: &[Vec<f32>], labels: &[usize], classes: usize) -> Result<Self> {
        let rows = logits.iter().zip(labels).map(|(row, label)| {
            (ClassIndex(*label), row.iter().map(|it| f64::from(*it)).collect::<Vec<_>>())
        });
        let logits = LabelledLogits::new(classes, rows).map_err(|_| Error::NoLogits)?;
        let temperature = logits.fit_temperature().temperature;
        let predictions = logits.probabilities(temperature);
        // As in scikit-learn's log_loss, no probability counts as smaller than the smallest step
        // above 0.
        let loss = |(class, row): (ClassIndex, &[f64])| -row[class.0].max(f64::EPSILON).ln();
        let losses = predictions.rows().map(loss).collect();
        let auroc = auroc_one_vs_rest(&predictions);
        Ok(Self { losses, temperature: temperature.get(), auroc })
    }
}

/// The images of each group.
pub(crate) struct Clusters {
    of_group: Vec<Vec<usize>>,
    images: usize,
}

/// A mean over images, with groups as the sampling unit.
pub(crate) struct Mean {
    pub(crate) mean: f64,
    pub(crate) standard_error: f64,
}

impl Clusters {
    pub(crate) fn of(groups: &[GroupNumber]) -> Self {
        let mut of_group: BTreeMap<GroupNumber, Vec<usize>> = BTreeMap::new();
        for (image, group) in groups.iter().enumerate() {
            of_group.entry(*group).or_default().push(image);
        }
        Self { of_group: of_group.into_values().collect(), images: groups.len() }
    }

    /// Number of groups.
    pub(crate) fn count(&self) -> usize {
        self.of_group.len()
    }

    /// The mean of a value of every image, and its standard error with groups of images as the
    /// sampling unit: the linearised one of a ratio, `√(G / (G − 1) Σ_g (Σ_{i in g} (vᵢ − mean))²)
    /// / N` (Cochran 1977, "Sampling Techniques", section 6.7, without the correction for a finite
    /// population).
    pub(crate) fn mean(&self, value: impl Fn(usize) -> f64) -> Mean {
        let images = self.images as f64;
        let mean = (0..self.images).map(&value).sum::<f64>() / images;
        let off = |group: &Vec<usize>| group.iter().map(|image| value(*image) - mean).sum::<f64>();
        let squares: f64 = self.of_group.iter().map(|group| off(group).powi(2)).sum();
        let groups = self.of_group.len() as f64;
        Mean { mean, standard_error: (groups / (groups - 1.0) * squares).sqrt() / images }
    }
}

/// Whether a difference counts as chance. For groups of one image, a difference of one image equals
/// one standard error to the last digit, and rounding must not decide that case.
pub(crate) fn is_chance(difference: &Mean) -> bool {
    difference.mean <= TIE_STANDARD_ERRORS * difference.standard_error * (1.0 + 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<const N: usize>(groups: [u32; N]) -> Vec<GroupNumber> {
        groups.map(GroupNumber).to_vec()
    }

    #[test]
    fn images_of_one_group_count_as_one_in_the_standard_error() {
        // Right, right, wrong, right: each alone differs from the mean 3/4 by 1/4, 1/4, −3/4, 1/4.
        let right = [1.0, 1.0, 0.0, 1.0];
        let alone = Clusters::of(&numbers([0, 1, 2, 3])).mean(|image| right[image]);
        assert_eq!(alone.mean, 0.75);
        assert!((alone.standard_error - (4.0 / 3.0 * 0.75_f64).sqrt() / 4.0).abs() < 1e-12);
        // For two pairs the sums differ by 1/2 and −1/2.
        let pairs = Clusters::of(&numbers([5, 5, 9, 9])).mean(|image| right[image]);
        assert!((pairs.standard_error - (2.0 * 0.5_f64).sqrt() / 4.0).abs() < 1e-12);
    }
}
