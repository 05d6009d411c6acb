//! What copies of test images in training are worth, measured the only way that shows it: the head
//! is trained again without them.
//!
//! Comparing copied with other images would compare classes instead, where the copies are all of
//! one class. And a head that was trained on fewer images is worse for that alone, so controls are
//! trained too: on as many images of each class, copies included.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use artifact::Digest;
use config::EvaluateParams;
use dataset::{ClassIndices, ImageRecord, Manifest, Split, ValidatedManifest};
use inference::{Prediction, TestImage, TestSet, prediction};
use metrics::{Bootstrap, Estimate, Temperature};
use serde::Serialize;
use training::{Length, Refit};

mod control;

use control::{Copies, control};

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Leak {
    /// Training has no copy of a test image.
    NoCopies,
    /// It has, but what they are worth was not measured.
    NotMeasured {
        /// Test images with a copy in training.
        copied_test_images: usize,
        /// Why not.
        reason: String,
    },
    /// It has.
    Measured(LeakEffect),
}

/// What the copies are worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LeakEffect {
    /// In a sentence.
    pub(crate) in_words: String,
    /// Test images with a copy in training.
    pub(crate) copied_test_images: usize,
    /// Training images that were left out: copies of test or validation images.
    pub(crate) left_out: usize,
    /// Refits on as many images of each class, copies included.
    pub(crate) controls: usize,
    /// Accuracy on the copied test images and on all, with each training.
    pub(crate) accuracy: AccuracyByTraining,
    /// Accuracy on the copied test images: controls minus the refit without copies. Positive where
    /// copies make the score better than it should be.
    pub(crate) effect: Estimate,
    /// The same for the probability of the right class, which moves before the answer does.
    pub(crate) probability_effect: Estimate,
    /// The effect on accuracy within each class, and copied test images of it.
    pub(crate) classes: BTreeMap<String, ClassEffect>,
}

/// Top-1 accuracies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct AccuracyByTraining {
    /// The model as it is, on the copied test images.
    pub(crate) model_on_copied: f64,
    /// Without the copies, on the copied test images.
    pub(crate) without_copies_on_copied: f64,
    /// The controls' mean, on the copied test images.
    pub(crate) controls_on_copied: f64,
    /// The model as it is, on all test images.
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

/// What a measurement needs.
pub(crate) struct Measurement<'a> {
    pub(crate) validated: &'a ValidatedManifest,
    pub(crate) refit: &'a Refit,
    pub(crate) classes: &'a ClassIndices,
    pub(crate) test: &'a TestSet,
    pub(crate) temperature: Temperature,
    pub(crate) params: EvaluateParams,
}

impl Measurement<'_> {
    /// Trains the heads and compares them; `predictions` are the model's own.
    ///
    /// # Errors
    /// When a head cannot be trained.
    pub(crate) fn take(&self, predictions: &[Prediction]) -> Result<Leak> {
        let copied = self.test.places(|image| image.has_copy_in_training);
        if copied.is_empty() {
            return Ok(Leak::NoCopies);
        }
        let not_measured = |reason: &str| Leak::NotMeasured {
            copied_test_images: copied.len(),
            reason: reason.to_owned(),
        };
        if self.params.control_refits == 0 {
            return Ok(not_measured("evaluate.control_refits is 0"));
        }
        if !self.refit.is_cheap() {
            return Ok(not_measured(
                "part of the base is trained too; compare with a run of \
                 dvc exp run -S validation.policy.leaks=drop",
            ));
        }
        let manifest = self.validated.included();
        let copies = self.copies();
        let without = manifest.filtered(|image| !copies.contains_key(&image.path));
        if without.classes() != manifest.classes() || without.split(Split::Train).count() == 0 {
            return Ok(not_measured("without the copies a class has no training images"));
        }
        let refits = 1 + self.params.control_refits;
        tracing::info!("training the head {refits} times, to see what the copies are worth");
        let bar = stage::items_bar(u64::from(refits), "refits");
        let without_copies = self.predict(&without)?;
        bar.inc(1);
        let mut controls = Vec::new();
        for number in 0..self.params.control_refits {
            let key = |image: &ImageRecord| control_key(self.params.seed, number, image);
            controls.push(self.predict(&control(&manifest, &copies, key))?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let compared = Compared { model: predictions, without_copies, controls };
        Ok(Leak::Measured(self.effect(&compared, &copied, copies.len())))
    }

    /// Training images with a copy outside training.
    fn copies(&self) -> Copies {
        let included = || self.validated.records().iter().filter(|it| it.excluded.is_none());
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

    fn predict(&self, manifest: &Manifest) -> Result<Vec<Prediction>> {
        let head = self.refit.train(manifest, Length::BestEpoch)?;
        let requests: Vec<_> = self.test.images.iter().map(TestImage::request).collect();
        let rows = head.logits(&requests)?;
        let pairs = self.test.images.iter().zip(rows);
        Ok(pairs
            .map(|(image, logits)| prediction(image, &logits, self.temperature))
            .collect::<Result<_, _>>()?)
    }

    fn effect(&self, compared: &Compared<'_>, copied: &[usize], left_out: usize) -> LeakEffect {
        let bootstrap =
            Bootstrap { seed: self.params.seed, resamples: self.params.bootstrap_resamples };
        let groups = self.test.select(copied).groups();
        let estimate = |gain: &dyn Fn(usize) -> f64| {
            let gains: Vec<f64> = copied.iter().map(|place| gain(*place)).collect();
            bootstrap
                .estimate(&groups, |sample| mean(sample.images().iter().map(|image| gains[*image])))
        };
        let gain = |place| compared.accuracy_gain(place);
        let effect = estimate(&gain);
        let mut classes = BTreeMap::new();
        for (index, name) in self.classes.names().iter().enumerate() {
            let of_class: Vec<usize> = copied
                .iter()
                .copied()
                .filter(|place| self.test.images[*place].actual.0 == index)
                .collect();
            if let Some(effect) = mean(of_class.iter().map(|place| gain(*place))) {
                classes.insert(name.clone(), ClassEffect { images: of_class.len(), effect });
            }
        }
        let accuracy = compared.accuracies(copied);
        LeakEffect {
            in_words: in_words(&accuracy, &effect, copied.len(), left_out),
            copied_test_images: copied.len(),
            left_out,
            controls: compared.controls.len(),
            accuracy,
            effect,
            probability_effect: estimate(&|place| compared.probability_gain(place)),
            classes,
        }
    }
}

fn control_key(seed: u64, number: u32, image: &ImageRecord) -> Digest {
    let (seed, number) = (seed.to_le_bytes(), number.to_le_bytes());
    Digest::of_fields([&seed[..], &b"control refit"[..], &number[..], image.path.as_bytes()])
}

/// What each training says about every test image.
struct Compared<'a> {
    model: &'a [Prediction],
    without_copies: Vec<Prediction>,
    controls: Vec<Vec<Prediction>>,
}

impl Compared<'_> {
    fn accuracy_gain(&self, place: usize) -> f64 {
        self.gain(place, |image| f64::from(u8::from(image.is_correct())))
    }

    fn probability_gain(&self, place: usize) -> f64 {
        self.gain(place, |image| image.probabilities[image.actual.0])
    }

    /// The controls' mean minus the refit without copies.
    fn gain(&self, place: usize, value: fn(&Prediction) -> f64) -> f64 {
        let controls = self.controls.iter().map(|control| value(&control[place]));
        mean(controls).unwrap_or(0.0) - value(&self.without_copies[place])
    }

    fn accuracies(&self, copied: &[usize]) -> AccuracyByTraining {
        let all: Vec<usize> = (0..self.model.len()).collect();
        let controls = self.controls.iter().map(|control| accuracy(control, copied));
        AccuracyByTraining {
            model_on_copied: accuracy(self.model, copied),
            without_copies_on_copied: accuracy(&self.without_copies, copied),
            controls_on_copied: mean(controls).unwrap_or(0.0),
            model_on_all: accuracy(self.model, &all),
            without_copies_on_all: accuracy(&self.without_copies, &all),
        }
    }
}

fn accuracy(predictions: &[Prediction], places: &[usize]) -> f64 {
    let right = places.iter().filter(|place| predictions[**place].is_correct()).count();
    right as f64 / places.len().max(1) as f64
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), it| (sum + it, count + 1));
    (count > 0).then(|| sum / count as f64)
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
    // A true minus: no line is broken after it.
    let difference = format!("{:+.3}{interval}", effect.value.unwrap_or(0.0)).replace('-', "−");
    format!(
        "{copied} test images have a copy in training. A head trained without the {left_out} copies \
         is right on {:.3} of them, one trained on as many images, copies included, on {:.3} \
         (difference {difference}): {conclusion}.",
        accuracy.without_copies_on_copied, accuracy.controls_on_copied,
    )
}
