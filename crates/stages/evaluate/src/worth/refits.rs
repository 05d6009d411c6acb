//! The effect of some of the training images, measured in the only way that shows it: the head is
//! trained again without them.
//!
//! A head that was trained on fewer images is worse for that reason alone, so controls are trained
//! too: on as many images of each class, with these images among them.

use anyhow::Result;
use artifact::Digest;
use config::EvaluateParams;
use dataset::{ImageRecord, Manifest, Split};
use fit::{Length, Refit, RefitHead};
use metrics::{Bootstrap, Estimate, Temperature};
use scoring::{Prediction, TestImage, TestSet, prediction};

mod control;

pub(crate) use control::Copies;
use control::control;

/// Why heads of an ensemble are not trained again.
pub(crate) const NO_REFIT_OF_MANY: &str =
    "the model is an ensemble; the reports of its members say what their scores owe to copies";

/// Why heads are not trained again if it would take as long as the training did.
pub(crate) const NO_REFIT: &str = "part of the base is trained too; compare with a run of dvc exp \
                                   run -S validation.policy.leaks=drop";

/// The data for training heads again.
pub(crate) struct Refits<'a> {
    pub(crate) refit: &'a Refit,
    pub(crate) test: &'a TestSet,
    pub(crate) temperature: Temperature,
    pub(crate) params: EvaluateParams,
}

/// The predictions of each training for every test image.
pub(crate) struct Trainings {
    /// Trained without the images in question.
    pub(crate) without: Vec<Prediction>,
    /// Trained on as many images of each class, including those in question.
    pub(crate) controls: Vec<Vec<Prediction>>,
    /// How many images were left out.
    pub(crate) left_out: usize,
}

/// The trainings, or the reason why there are none.
pub(crate) type Compared = Result<Trainings, String>;

impl Refits<'_> {
    /// Trains on the training images of `manifest` without those of `left_out`, and the controls.
    /// `what` names these images in the log.
    ///
    /// # Errors
    /// When a head cannot be trained.
    pub(crate) fn compare(
        &self,
        manifest: &Manifest,
        left_out: &Copies,
        what: &str,
    ) -> Result<Compared> {
        if self.params.control_refits == 0 {
            return Ok(Err("evaluate.control_refits is 0".into()));
        }
        if !self.refit.is_cheap() {
            return Ok(Err(NO_REFIT.into()));
        }
        let without = manifest.filtered(|image| !left_out.contains_key(&image.path));
        if without.classes() != manifest.classes() || without.split(Split::Train).count() == 0 {
            return Ok(Err(format!("without the {what} a class has no training images")));
        }
        let refits = 1 + self.params.control_refits;
        tracing::info!("training the head {refits} times, to see what the {what} are worth");
        let bar = terminal::items_bar(u64::from(refits), "refits");
        let without = self.predict(&without)?;
        bar.inc(1);
        let mut controls = Vec::new();
        for number in 0..self.params.control_refits {
            let key = |image: &ImageRecord| control_key(self.params.seed, number, image);
            controls.push(self.predict(&control(manifest, left_out, key))?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Ok(Trainings { without, controls, left_out: left_out.len() }))
    }

    /// How often heads trained on shuffled labels are right about each test image, and the number
    /// of these heads: the score without learning.
    ///
    /// # Errors
    /// When a head cannot be trained.
    pub(crate) fn chance(&self, manifest: &Manifest) -> Result<Option<Chance>> {
        let heads = self.params.control_refits;
        if heads == 0 || !self.refit.is_solved() {
            return Ok(None);
        }
        tracing::info!(
            "training the head {heads} times on shuffled labels, to see what chance is worth"
        );
        let bar = terminal::items_bar(u64::from(heads), "shuffled labels");
        let mut right = vec![0.0; self.test.images.len()];
        for number in 0..heads {
            let seed = shuffle_seed(self.params.seed, number);
            let head = self.refit.train_on_shuffled_labels(manifest, Length::BestEpoch, seed)?;
            for (right, image) in right.iter_mut().zip(self.predict_with(&head)?) {
                *right += f64::from(u8::from(image.is_correct())) / f64::from(heads);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Some(Chance { heads, right }))
    }

    fn predict(&self, manifest: &Manifest) -> Result<Vec<Prediction>> {
        self.predict_with(&self.refit.train(manifest, Length::BestEpoch)?)
    }

    fn predict_with(&self, head: &RefitHead<'_>) -> Result<Vec<Prediction>> {
        let requests: Vec<_> = self.test.images.iter().map(TestImage::request).collect();
        let rows = head.logits(&requests)?;
        let pairs = self.test.images.iter().zip(rows);
        Ok(pairs
            .map(|(image, logits)| prediction(image, &logits, self.temperature))
            .collect::<Result<_, _>>()?)
    }
}

/// The results of heads that could not learn anything.
pub(crate) struct Chance {
    /// How many were trained.
    pub(crate) heads: u32,
    /// The share of them that is right, by test image.
    pub(crate) right: Vec<f64>,
}

/// A different shuffle for each head.
fn shuffle_seed(seed: u64, number: u32) -> u64 {
    let (seed, number) = (seed.to_le_bytes(), number.to_le_bytes());
    let digest = Digest::of_fields([&seed[..], &b"shuffled labels"[..], &number[..]]);
    digest.as_bytes()[..8].iter().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

fn control_key(seed: u64, number: u32, image: &ImageRecord) -> Digest {
    let (seed, number) = (seed.to_le_bytes(), number.to_le_bytes());
    Digest::of_fields([&seed[..], &b"control refit"[..], &number[..], image.path.as_bytes()])
}

impl Trainings {
    /// How much more often the controls are right about an image than the training without.
    pub(crate) fn accuracy_gain(&self, place: usize) -> f64 {
        self.gain(place, |image| f64::from(u8::from(image.is_correct())))
    }

    /// The same for the probability of the right class.
    pub(crate) fn probability_gain(&self, place: usize) -> f64 {
        self.gain(place, |image| image.probabilities[image.actual.0])
    }

    /// [`accuracy_gain`](Self::accuracy_gain) of every test image.
    pub(crate) fn accuracy_gains(&self) -> Vec<f64> {
        (0..self.without.len()).map(|place| self.accuracy_gain(place)).collect()
    }

    /// The controls' mean minus the training without.
    fn gain(&self, place: usize, value: fn(&Prediction) -> f64) -> f64 {
        let controls = self.controls.iter().map(|control| value(&control[place]));
        mean(controls).unwrap_or(0.0) - value(&self.without[place])
    }
}

/// The mean over some of the test images, of one value for each image of the set, with its interval
/// over groups.
pub(crate) fn mean_over(
    bootstrap: &Bootstrap,
    test: &TestSet,
    places: &[usize],
    values: &[f64],
) -> Estimate {
    let groups = test.select(places).groups();
    let mean_of = |drawn: &[usize]| mean(drawn.iter().map(|image| values[places[*image]]));
    bootstrap.estimate(&groups, |sample| mean_of(sample.images()))
}

/// The arithmetic mean in the order given; `None` if there are no values.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let add = |(sum, count), value| (sum + value, count + 1_usize);
    let (sum, count) = values.into_iter().fold((0.0, 0), add);
    (count > 0).then(|| sum / count as f64)
}
