//! Whether maps change when weights are shuffled.

use anyhow::Result;
use metrics::{Estimate, spearman};
use serde::Serialize;

use super::{Case, Examination, Part, Subject, is_empty};
use crate::worth::mean_over;

/// From this rank correlation on, two maps look the same to a person.
const THE_SAME: f64 = 0.8;

/// Maps compared with those of the model with a part of its weights shuffled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Randomisation {
    /// The shuffled weights.
    pub(crate) part: Part,
    /// Spearman's rank correlation of the two maps, mean over the images on which neither is empty;
    /// undefined if there are none.
    pub(crate) rank_correlation: Estimate,
    /// Number of images whose map became empty.
    pub(crate) became_empty: usize,
    /// Whether they change: the mean correlation is below 0.8.
    pub(crate) changes: bool,
}

impl Examination<'_> {
    /// Compares the maps with those of a model whose weights are shuffled.
    pub(super) fn against_shuffled(
        &self,
        part: Part,
        shuffled: &impl Subject,
        cases: &[Case],
    ) -> Result<Randomisation> {
        let mut correlations = vec![f64::NAN; self.test.images.len()];
        let mut compared = Vec::new();
        let mut became_empty = 0;
        for case in cases.iter().filter(|case| !case.is_empty()) {
            let other = shuffled.map(&case.seen, case.predicted)?;
            if is_empty(&other) {
                became_empty += 1;
                continue;
            }
            if let Some(correlation) = spearman(&exact(&case.map.values), &exact(&other.values)) {
                correlations[case.place] = correlation;
                compared.push(case.place);
            }
        }
        let rank_correlation = mean_over(&self.bootstrap, self.test, &compared, &correlations);
        let changes = rank_correlation.value.is_none_or(|mean| mean < THE_SAME);
        Ok(Randomisation { part, rank_correlation, became_empty, changes })
    }
}

fn exact(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}
