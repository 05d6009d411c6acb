//! The single measurement that reveals a class.

use picture_checks::{Facts, Quantiles};
use serde::Serialize;

use crate::features::Feature;

pub(crate) mod search;

/// The measurement that distinguishes a class from others best.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Giveaway {
    /// What is measured, with its unit.
    pub measure: String,
    /// Its distribution for the class, in validation and test.
    pub class: Quantiles,
    /// Its distribution for the others.
    pub others: Quantiles,
    /// AUROC of this measurement alone on the training images, where it was chosen.
    pub training_auroc: f64,
    /// AUROC of this measurement alone on the validation and test images.
    pub auroc: f64,
    /// The difference as a clause: "its pictures are wider: 512 to 1024 pixels against 300 to 400".
    pub in_words: String,
}

/// How a measurement distinguishes the class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Direction {
    /// The class has more.
    Higher,
    /// The class has less.
    Lower,
    /// The class is close to this value; the others are on both sides.
    Around(f32),
}

/// A measurement with the pictures' values, to describe in words.
pub(crate) struct Measured {
    pub(crate) feature: Feature,
    pub(crate) direction: Direction,
    pub(crate) class: Values,
    pub(crate) others: Values,
    /// Whether the feature is a cell of a small spot rather than of a whole side.
    pub(crate) is_spot: bool,
}

/// A measurement of several pictures.
pub(crate) struct Values {
    values: Vec<f32>,
    pub(crate) quantiles: Quantiles,
}

impl Values {
    pub(crate) fn of(feature: Feature, pictures: &[&Facts]) -> Option<Self> {
        let values: Vec<f32> = pictures.iter().map(|facts| feature.of(facts)).collect();
        let quantiles = Quantiles::of(values.iter().map(|value| f64::from(*value)))?;
        Some(Self { values, quantiles })
    }

    pub(crate) fn mean(&self) -> f64 {
        self.values.iter().map(|value| f64::from(*value)).sum::<f64>() / self.values.len() as f64
    }

    /// The share of the values from `low` to `high`.
    pub(crate) fn share_within(&self, low: f64, high: f64) -> f64 {
        let within = |value: &&f32| (low..=high).contains(&f64::from(**value));
        self.values.iter().filter(within).count() as f64 / self.values.len() as f64
    }
}
