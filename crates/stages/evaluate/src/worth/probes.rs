//! Scores the test images again with something removed that has nothing to do with tumours, or with
//! almost everything removed, to see how much of the score is lost.

use anyhow::Result;
use classifier::ModelInput;
use imaging::Picture;
use metrics::{Bootstrap, Estimate, Temperature};
use rayon::prelude::*;
use scoring::{Prediction, TestImage, TestSet, prediction, read_picture};
use serde::Serialize;

use super::refits::mean_over;

mod alteration;

pub(crate) use alteration::{Alteration, Alterations};

/// Number of images in memory at once.
const BATCH: usize = 24;

/// The results.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Probes {
    /// None was made.
    NotMade {
        /// The reason.
        reason: String,
    },
    /// All were made.
    Made {
        /// Each with its change.
        probes: Vec<Probe>,
    },
}

/// The effect of one change on the score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Probe {
    /// What was changed.
    pub(crate) alteration: Alteration,
    /// The same in words.
    pub(crate) what: String,
    /// Number of network passes.
    pub(crate) passes: usize,
    /// Top-1 accuracy on the changed images.
    pub(crate) accuracy: Estimate,
    /// That less the accuracy on the unchanged images.
    pub(crate) change: Estimate,
    /// The same for the probability of the right class, which changes before the answer does.
    pub(crate) probability_change: Estimate,
    /// Number of images whose predicted class changes.
    pub(crate) answers_changed: usize,
}

/// The inputs of probes.
pub(crate) struct Prober<'a> {
    pub(crate) test: &'a TestSet,
    pub(crate) input: &'a ModelInput,
    pub(crate) temperature: Temperature,
    pub(crate) alterations: Alterations,
    pub(crate) bootstrap: Bootstrap,
}

/// Returns the logits of preprocessed images.
pub(crate) type Answer<'a> = dyn Fn(&[Vec<f32>]) -> Result<Vec<Vec<f32>>> + 'a;

impl Prober<'_> {
    /// Makes every probe; `before` are the predictions for the unchanged images.
    ///
    /// # Errors
    /// When an image cannot be used, or the network cannot run.
    pub(crate) fn probe_all(
        &self,
        before: &[Prediction],
        answer: &Answer<'_>,
    ) -> Result<Vec<Probe>> {
        let probe = |alteration: &Alteration| {
            let started = std::time::Instant::now();
            let after = self.predict(*alteration, answer)?;
            tracing::info!(
                "scored {} images again, {}, in {:.1} s",
                after.len(),
                self.alterations.in_words(*alteration),
                started.elapsed().as_secs_f64()
            );
            Ok(self.compare(*alteration, before, &after))
        };
        Alteration::ALL.iter().map(probe).collect()
    }

    fn predict(&self, alteration: Alteration, answer: &Answer<'_>) -> Result<Vec<Prediction>> {
        let images = &self.test.images;
        let bar = terminal::items_bar(images.len() as u64, alteration.name());
        let mut predictions = Vec::with_capacity(images.len());
        for batch in images.chunks(BATCH) {
            let seen = |image: &TestImage| -> Result<Vec<f32>> {
                let picture: Picture = read_picture(image)?;
                self.alterations.seen(alteration, &picture, self.input)
            };
            let seen: Vec<Result<Vec<f32>>> = batch.par_iter().map(seen).collect();
            let logits = answer(&seen.into_iter().collect::<Result<Vec<_>>>()?)?;
            for (image, logits) in batch.iter().zip(logits) {
                predictions.push(prediction(image, &logits, self.temperature)?);
            }
            bar.inc(batch.len() as u64);
        }
        bar.finish_and_clear();
        Ok(predictions)
    }

    fn compare(
        &self,
        alteration: Alteration,
        before: &[Prediction],
        after: &[Prediction],
    ) -> Probe {
        let all: Vec<usize> = (0..after.len()).collect();
        let mean = |value: &dyn Fn(usize) -> f64| {
            let values: Vec<f64> = all.iter().map(|place| value(*place)).collect();
            mean_over(&self.bootstrap, self.test, &all, &values)
        };
        let is_right = |image: &Prediction| f64::from(u8::from(image.is_correct()));
        let of_actual = |image: &Prediction| image.probabilities[image.actual.0];
        let pairs = before.iter().zip(after);
        Probe {
            alteration,
            what: self.alterations.in_words(alteration),
            passes: after.len(),
            accuracy: mean(&|place| is_right(&after[place])),
            change: mean(&|place| is_right(&after[place]) - is_right(&before[place])),
            probability_change: mean(&|place| of_actual(&after[place]) - of_actual(&before[place])),
            answers_changed: pairs.filter(|(a, b)| a.predicted != b.predicted).count(),
        }
    }
}

#[cfg(test)]
mod tests;
