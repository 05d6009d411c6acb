//! One pass over the training images, and scoring of the validation images.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use classifier::ClassifierError;
use classifier::checkpoint::{EpochRow, ValidationScores};
use classifier::features::Extractor;
use classifier::learner::{Batch, Learner, Score, ScoreSums};
use config::DescentParams;
use dataset::Split;
use ranks::Ranks;

use crate::images::TrainingImages;
use crate::pace::{Clock, EpochTimer, FeaturePass, Pass};
use crate::schedule::learning_rate;
use crate::steps::Steps;
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
    /// Time in which this process waited for others; none if it is alone.
    waited: Duration,
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
             {valid_loss:.4}, accuracy {valid_accuracy:.4}; {}{:.0} images/s, {seconds:.1} s",
            self.of, self.features, self.images_per_second,
        )?;
        if !self.waited.is_zero() {
            let share = 100.0 * self.waited.as_secs_f64() / seconds.max(f64::MIN_POSITIVE);
            write!(f, " ({share:.0} % of it between the processes)")?;
        }
        write!(f, ", {} left", in_words(self.left))
    }
}

impl Epoch {
    /// An epoch, counted from 1, of `of` epochs. Its learning rate is that of the schedule of
    /// `descent`, whatever `of` is.
    pub fn new(descent: &DescentParams, number: u32, of: u32) -> Self {
        Self { number, of, learning_rate: learning_rate(descent, number) }
    }

    /// Learns, then scores. Processes that train together have a part of each step's images, and of
    /// the validation images; the report is the same in each of them, but for the times.
    ///
    /// # Errors
    /// When an image cannot be used, or the loss is no longer finite.
    pub fn run(
        self,
        learner: &mut Learner,
        extractor: &Extractor,
        images: &TrainingImages,
        ranks: &Ranks,
    ) -> Result<EpochReport> {
        let started = Instant::now();
        let waited = ranks.time_spent();
        let (train, learning) = self.learn(learner, extractor, images, ranks)?;
        self.refuse_divergence(train)?;
        let Validation { score: valid, logits, pass: scoring } =
            self.score(learner, extractor, images, ranks)?;
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
            waited: ranks.time_spent() - waited,
            left,
            of: self.of,
        })
    }

    fn learn(
        self,
        learner: &mut Learner,
        extractor: &Extractor,
        images: &TrainingImages,
        ranks: &Ranks,
    ) -> Result<(Score, Pass)> {
        let mut clock = Clock::start(extractor.activation_counts().computed);
        let labels = images.labels(Split::Train, self.number);
        let mut steps = Steps::new(&labels, images.batch_size(), ranks);
        let requests = steps.own(&images.requests(Split::Train, self.number));
        let bar =
            terminal::items_bar(labels.len() as u64, &format!("epoch {}/{}", self.number, self.of));
        extractor.for_each_batch(&requests, steps.own_batch_size(), |activations| {
            clock.consume(|| {
                let key = images.dropout_key(self.number, steps.done());
                bar.inc(steps.take(learner, activations, self.learning_rate, &key)? as u64);
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
        let score = clock.consume(|| {
            steps.take_those_without_images(learner, self.learning_rate)?;
            total_score(learner, ranks)
        })?;
        Ok((score, self.stop(clock, Split::Train, extractor, images)))
    }

    fn score(
        self,
        learner: &mut Learner,
        extractor: &Extractor,
        images: &TrainingImages,
        ranks: &Ranks,
    ) -> Result<Validation> {
        let mut clock = Clock::start(extractor.activation_counts().computed);
        let requests = images.requests(Split::Valid, self.number);
        let labels = images.labels(Split::Valid, self.number);
        let own = ranks.part_of(labels.len());
        let mut label_batches = labels[own.clone()].chunks(images.batch_size());
        let mut logits = Vec::with_capacity(labels.len());
        extractor.for_each_batch(&requests[own.clone()], images.batch_size(), |activations| {
            clock.consume(|| {
                let labels = label_batches.next().expect("as many labels as activations");
                logits.extend(learner.score(Batch { activations, labels })?);
                Ok(())
            })
        })?;
        let score = clock.consume(|| total_score(learner, ranks))?;
        let logits = gather(logits, own.start, labels.len(), images.classes(), ranks);
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

/// The score over the images of all processes.
fn total_score(learner: &mut Learner, ranks: &Ranks) -> Result<Score> {
    let ScoreSums(mut sums) = learner.take_score_sums()?;
    ranks.sum_f64(&mut sums);
    Ok(ScoreSums(sums).score())
}

/// The rows of all processes, of which this one has those from `first` on.
pub(crate) fn gather(
    own: Vec<Vec<f32>>,
    first: usize,
    rows: usize,
    columns: usize,
    ranks: &Ranks,
) -> Vec<Vec<f32>> {
    if ranks.is_alone() {
        return own;
    }
    // Each value is added to zeros, so that it keeps its bits.
    let mut all = vec![0.0; rows * columns];
    let own = own.concat();
    all[first * columns..][..own.len()].copy_from_slice(&own);
    ranks.sum_f32(&mut all);
    all.chunks(columns).map(<[f32]>::to_vec).collect()
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
