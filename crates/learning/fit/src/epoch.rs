//! One pass over the training images, and scoring of the validation images.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use classifier::ClassifierError;
use classifier::checkpoint::{EpochRow, ValidationScores};
use classifier::features::Extractor;
use classifier::learner::{Batch, Learner, Score};
use config::DescentParams;
use dataset::Split;

use crate::images::TrainingImages;
use crate::pace::{Clock, EpochTimer, FeaturePass, Pass};
use crate::schedule::learning_rate;
use crate::validation_scores;

/// The epoch's number, the number of epochs, and the learning rate.
#[derive(Debug, Clone, Copy)]
pub struct Epoch {
    number: u32,
    of: u32,
    learning_rate: f64,
}

/// The result of an epoch, and how long it took.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochReport {
    /// Its scores.
    pub row: EpochRow,
    /// All its scores on the validation images.
    pub validation: ValidationScores,
    /// The logits of the validation images: one row per image in the order of the manifest, one
    /// value per class.
    pub logits: Vec<Vec<f32>>,
    /// Time to learn and to score, features included.
    pub duration: Duration,
    /// Features that were computed in it once, for all epochs.
    pub features: FeaturePass,
    /// Training images per second of learning, without the time of those features.
    pub images_per_second: f64,
    left: Duration,
    of: u32,
}

/// The result of scoring the validation images.
struct Validation {
    score: Score,
    /// One row per image, one value per class.
    logits: Vec<Vec<f32>>,
    pass: Pass,
}

/// `epoch 3/20: loss …`, with the remaining time.
impl fmt::Display for EpochReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EpochRow { epoch, train_loss, train_accuracy, valid_loss, valid_accuracy, .. } =
            self.row;
        let seconds = self.duration.as_secs_f64();
        write!(
            f,
            "epoch {epoch}/{}: loss {train_loss:.4}, accuracy {train_accuracy:.4}; validation loss \
             {valid_loss:.4}, accuracy {valid_accuracy:.4}; {}{:.0} images/s, {seconds:.1} s, {} left",
            self.of,
            self.features,
            self.images_per_second,
            in_words(self.left),
        )
    }
}

impl Epoch {
    /// An epoch, counted from 1, of `of` epochs. Its learning rate is that of the schedule of
    /// `descent`, whatever `of` is.
    pub fn new(descent: &DescentParams, number: u32, of: u32) -> Self {
        Self { number, of, learning_rate: learning_rate(descent, number) }
    }

    /// Learns, then scores.
    ///
    /// # Errors
    /// When an image cannot be used, or the loss is no longer finite.
    pub fn run(
        self,
        learner: &mut Learner,
        extractor: &Extractor,
        images: &TrainingImages,
    ) -> Result<EpochReport> {
        let started = Instant::now();
        let (train, learning) = self.learn(learner, extractor, images)?;
        self.refuse_divergence(train)?;
        let Validation { score: valid, logits, pass: scoring } =
            self.score(learner, extractor, images)?;
        self.refuse_divergence(valid)?;
        let labels = images.labels_in_order(Split::Valid);
        let validation = validation_scores(images.classes(), &labels, &logits)?;
        let row = EpochRow {
            epoch: self.number,
            learning_rate: self.learning_rate,
            train_loss: train.loss,
            train_accuracy: train.accuracy,
            valid_loss: valid.loss,
            valid_accuracy: valid.accuracy,
        };
        let EpochTimer { features, left } =
            EpochTimer::of([learning, scoring], self.of - self.number);
        let images = images.count(Split::Train) as f64;
        Ok(EpochReport {
            row,
            validation,
            logits,
            duration: started.elapsed(),
            features,
            images_per_second: images / learning.repeated().as_secs_f64().max(f64::MIN_POSITIVE),
            left,
            of: self.of,
        })
    }

    fn learn(
        self,
        learner: &mut Learner,
        extractor: &Extractor,
        images: &TrainingImages,
    ) -> Result<(Score, Pass)> {
        let mut clock = Clock::start(extractor.activation_counts().computed);
        let requests = images.requests(Split::Train, self.number);
        let labels = images.labels(Split::Train, self.number);
        let bar =
            terminal::items_bar(labels.len() as u64, &format!("epoch {}/{}", self.number, self.of));
        let batch_size = images.batch_size();
        let mut label_batches = labels.chunks(batch_size).enumerate();
        extractor.for_each_batch(&requests, batch_size, |activations| {
            clock.consume(|| {
                let (step, labels) = label_batches.next().expect("as many labels as activations");
                let key = images.dropout_key(self.number, step);
                learner.step(Batch { activations, labels }, self.learning_rate, &key)?;
                bar.inc(labels.len() as u64);
                // Reading the score waits for the device, so it is only read for a visible bar.
                if !bar.is_hidden() {
                    let Score { loss, accuracy } = learner.peek_score()?;
                    bar.set_message(format!(
                        "epoch {}/{} · loss {loss:.4} · accuracy {accuracy:.3}",
                        self.number, self.of
                    ));
                }
                Ok(())
            })
        })?;
        bar.finish_and_clear();
        let score = clock.consume(|| learner.take_score())?;
        Ok((score, self.stop(clock, Split::Train, extractor, images)))
    }

    fn score(
        self,
        learner: &mut Learner,
        extractor: &Extractor,
        images: &TrainingImages,
    ) -> Result<Validation> {
        let mut clock = Clock::start(extractor.activation_counts().computed);
        let requests = images.requests(Split::Valid, self.number);
        let labels = images.labels(Split::Valid, self.number);
        let mut label_batches = labels.chunks(images.batch_size());
        let mut logits = Vec::with_capacity(labels.len());
        extractor.for_each_batch(&requests, images.batch_size(), |activations| {
            clock.consume(|| {
                let labels = label_batches.next().expect("as many labels as activations");
                logits.extend(learner.score(Batch { activations, labels })?);
                Ok(())
            })
        })?;
        let score = clock.consume(|| learner.take_score())?;
        let pass = self.stop(clock, Split::Valid, extractor, images);
        Ok(Validation { score, logits, pass })
    }

    /// Ends a pass. Its computing is repeated in later epochs as long as there are views that no
    /// epoch has used. It is repeated in every epoch if activations are not kept, or were not found
    /// although each view has been used.
    fn stop(
        self,
        clock: Clock,
        split: Split,
        extractor: &Extractor,
        images: &TrainingImages,
    ) -> Pass {
        let views = images.views_seen_again(split).filter(|_| extractor.keeps_activations());
        let later = views.filter(|views| self.number <= *views);
        let later = later.map(|views| views.min(self.of) - self.number);
        clock.stop(extractor.activation_counts().computed, later)
    }

    fn refuse_divergence(self, score: Score) -> Result<()> {
        if score.loss.is_finite() {
            return Ok(());
        }
        bail!(ClassifierError::Diverged { epoch: self.number, loss: score.loss })
    }
}

fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_time_reads_well() {
        assert_eq!(in_words(Duration::from_secs_f64(59.4)), "59 s");
        assert_eq!(in_words(Duration::from_secs(61)), "1 min 1 s");
        assert_eq!(in_words(Duration::from_secs(7265)), "2 h 1 min");
    }
}
