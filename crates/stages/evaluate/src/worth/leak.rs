//! The effect of copies of test images in training, measured in the only way that shows it: the
//! head is trained again without them.
//!
//! Comparing copied images with others would compare classes instead if the copies are all of one
//! class. [`super::refits`] describes the controls that the head without copies is compared with.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use dataset::{ClassIndices, Split, ValidatedManifest};
use metrics::{Bootstrap, Estimate};
use scoring::Prediction;
use serde::Serialize;

use super::refits::{Copies, Refits, Trainings, mean, mean_over};

/// The result.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Leak {
    /// Training has no copy of a test image.
    NoCopies,
    /// Training has copies, but their effect was not measured.
    NotMeasured {
        /// Test images with a copy in training.
        copied_test_images: usize,
        /// The reason.
        reason: String,
    },
    /// Training has copies, and their effect was measured.
    Measured(LeakEffect),
}

/// The effect of the copies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LeakEffect {
    /// In a sentence.
    pub(crate) in_words: String,
    /// Test images with a copy in training.
    pub(crate) copied_test_images: usize,
    /// Training images that were left out: copies of test or validation images.
    pub(crate) left_out: usize,
    /// Number of refits on as many images of each class, copies included.
    pub(crate) controls: usize,
    /// Accuracy on the copied test images and on all, with each training.
    pub(crate) accuracy: AccuracyByTraining,
    /// Accuracy on the copied test images: controls minus the refit without copies. Positive if
    /// copies make the score too good.
    pub(crate) effect: Estimate,
    /// The same for the probability of the right class, which changes before the answer does.
    pub(crate) probability_effect: Estimate,
    /// The effect on accuracy within each class, and copied test images of it.
    pub(crate) classes: BTreeMap<String, ClassEffect>,
}

/// Top-1 accuracies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct AccuracyByTraining {
    /// The unchanged model, on the copied test images.
    pub(crate) model_on_copied: f64,
    /// Without the copies, on the copied test images.
    pub(crate) without_copies_on_copied: f64,
    /// The controls' mean, on the copied test images.
    pub(crate) controls_on_copied: f64,
    /// The unchanged model, on all test images.
    pub(crate) model_on_all: f64,
    /// Without the copies, on all test images.
    pub(crate) without_copies_on_all: f64,
}

/// Within one class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct ClassEffect {
    /// Copied test images.
    pub(crate) images: usize,
    /// Controls minus the refit without copies, accuracy on them.
    pub(crate) effect: f64,
}

/// The inputs of a measurement.
pub(crate) struct Measurement<'a> {
    pub(crate) validated: &'a ValidatedManifest,
    pub(crate) classes: &'a ClassIndices,
    pub(crate) refits: Refits<'a>,
}

impl Measurement<'_> {
    /// Trains the heads and compares them; `predictions` are the model's own. Also returns the
    /// trainings, if there were any.
    ///
    /// # Errors
    /// When a head cannot be trained.
    pub(crate) fn take(&self, predictions: &[Prediction]) -> Result<(Leak, Option<Trainings>)> {
        let copied = self.refits.test.places(|image| image.has_copy_in_training);
        if copied.is_empty() {
            return Ok((Leak::NoCopies, None));
        }
        let manifest = self.validated.included();
        match self.refits.compare(&manifest, &copies(self.validated), "copies")? {
            Err(reason) => {
                let copied_test_images = copied.len();
                Ok((Leak::NotMeasured { copied_test_images, reason }, None))
            }
            Ok(trainings) => {
                let effect = self.effect(predictions, &trainings, &copied);
                Ok((Leak::Measured(effect), Some(trainings)))
            }
        }
    }

    fn effect(&self, model: &[Prediction], trainings: &Trainings, copied: &[usize]) -> LeakEffect {
        let Refits { test, params, .. } = &self.refits;
        let bootstrap = Bootstrap { seed: params.seed, resamples: params.bootstrap_resamples };
        let estimate = |gain: &dyn Fn(usize) -> f64| {
            let gains: Vec<f64> = (0..model.len()).map(gain).collect();
            mean_over(&bootstrap, test, copied, &gains)
        };
        let gain = |place| trainings.accuracy_gain(place);
        let effect = estimate(&gain);
        let mut classes = BTreeMap::new();
        for (index, name) in self.classes.names().iter().enumerate() {
            let of_class: Vec<usize> = copied
                .iter()
                .copied()
                .filter(|place| test.images[*place].actual.0 == index)
                .collect();
            if let Some(effect) = mean(of_class.iter().map(|place| gain(*place))) {
                classes.insert(name.clone(), ClassEffect { images: of_class.len(), effect });
            }
        }
        let accuracy = AccuracyByTraining::of(model, trainings, copied);
        LeakEffect {
            in_words: in_words(&accuracy, &effect, copied.len(), trainings.left_out),
            copied_test_images: copied.len(),
            left_out: trainings.left_out,
            controls: trainings.controls.len(),
            accuracy,
            effect,
            probability_effect: estimate(&|place| trainings.probability_gain(place)),
            classes,
        }
    }
}

/// Training images with a copy outside training.
pub(crate) fn copies(validated: &ValidatedManifest) -> Copies {
    let included = || validated.records().iter().filter(|it| it.excluded.is_none());
    let outside: BTreeSet<_> = included()
        .filter(|record| record.image.split != Split::Train)
        .filter_map(|record| record.duplicate_group)
        .collect();
    included()
        .filter(|record| record.image.split == Split::Train)
        .filter_map(|record| Some((record.image.path.clone(), record.duplicate_group?)))
        .filter(|(_, group)| outside.contains(group))
        .collect()
}

impl AccuracyByTraining {
    fn of(model: &[Prediction], trainings: &Trainings, copied: &[usize]) -> Self {
        let all: Vec<usize> = (0..model.len()).collect();
        let controls = trainings.controls.iter().map(|control| accuracy(control, copied));
        Self {
            model_on_copied: accuracy(model, copied),
            without_copies_on_copied: accuracy(&trainings.without, copied),
            controls_on_copied: mean(controls).unwrap_or(0.0),
            model_on_all: accuracy(model, &all),
            without_copies_on_all: accuracy(&trainings.without, &all),
        }
    }
}

fn accuracy(predictions: &[Prediction], places: &[usize]) -> f64 {
    let right = places.iter().filter(|place| predictions[**place].is_correct()).count();
    right as f64 / places.len().max(1) as f64
}

fn in_words(
    accuracy: &AccuracyByTraining,
    effect: &Estimate,
    copied: usize,
    left_out: usize,
) -> String {
    let interval = effect.interval.map_or(String::new(), |interval| {
        format!(", 95 % interval {:+.3} to {:+.3}", interval.low, interval.high)
    });
    let conclusion = match effect.interval {
        Some(interval) if interval.low > 0.0 => {
            "the copies make the score better than it should be"
        }
        _ => "the copies are not shown to make the score better",
    };
    // A real minus sign: lines are not broken after it.
    let difference = format!("{:+.3}{interval}", effect.value.unwrap_or(0.0)).replace('-', "−");
    format!(
        "{copied} test images have a copy in training. A head trained without the {left_out} copies \
         is right on {:.3} of them, one trained on as many images, copies included, on {:.3} \
         (difference {difference}): {conclusion}.",
        accuracy.without_copies_on_copied, accuracy.controls_on_copied,
    )
}
