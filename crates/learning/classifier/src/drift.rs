//! The images of the calibration as a reference for later images, by which drift is noticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most values kept of each kind. Of more, these many at equal distances in their order are
/// kept; their distribution is the same to within 1 / 4000.
const MOST_VALUES: usize = 2000;

/// How the images of a calibration were seen, each by checks and heads that were not fitted on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReference {
    /// Distances of the model's features from those of the other images, ascending.
    pub feature_distances: Vec<f64>,
    /// 1 less the correlation of the greys with those of the other images, ascending.
    pub grey_distances: Vec<f64>,
    /// Calibrated probabilities of the predicted classes, ascending.
    pub confidences: Vec<f64>,
    /// How often each class was predicted; of all classes, in the model's order.
    pub predicted: BTreeMap<String, u64>,
}

impl DriftReference {
    /// Sorts the values, and keeps as many of them as are needed.
    pub fn new(
        feature_distances: Vec<f64>,
        grey_distances: Vec<f64>,
        confidences: Vec<f64>,
        predicted: BTreeMap<String, u64>,
    ) -> Self {
        Self {
            feature_distances: kept(feature_distances),
            grey_distances: kept(grey_distances),
            confidences: kept(confidences),
            predicted,
        }
    }

    /// Whether every value can be one.
    pub(crate) fn is_usable(&self) -> bool {
        let all = [&self.feature_distances, &self.grey_distances, &self.confidences];
        all.into_iter().flatten().all(|value| value.is_finite())
    }
}

fn kept(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    if values.len() <= MOST_VALUES {
        return values;
    }
    // The middles of 2000 equal parts.
    let middle = |part: usize| (2 * part + 1) * values.len() / (2 * MOST_VALUES);
    (0..MOST_VALUES).map(|part| values[middle(part)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_kept_all_and_of_many_a_sample_of_the_same_distribution() {
        assert_eq!(kept(vec![3.0, 1.0, 2.0]), [1.0, 2.0, 3.0]);
        let many = kept((0..20_000).rev().map(f64::from).collect());
        assert_eq!(many.len(), MOST_VALUES);
        assert_eq!((many[0], many[1], many[1999]), (5.0, 15.0, 19_995.0));
    }
}
