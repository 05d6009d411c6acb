//! The results of a training by epochs on images that it has not seen: after how many epochs to
//! stop, and whether it becomes better than its start.

use std::fmt;

use dataset::GroupNumber;
use serde::{Deserialize, Serialize};

use crate::answers::{Calibrated, Clusters, is_chance, right, share_by_fold};
use crate::folds::Folds;
use crate::{Error, Result};

/// A gain of this many standard errors is not chance: 95 % on two sides.
const BEYOND_CHANCE: f64 = 1.96;

/// A grouped cross-validation of a whole training: each fold is held out of one training, and
/// predicted after each of its epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochSearch {
    /// Number of folds.
    pub folds: usize,
    /// Number of images.
    pub images: usize,
    /// Number of groups that they are in.
    pub groups: usize,
    /// The head that was solved before the first epoch; none if training starts from a random head.
    pub start: Option<HeldOutScores>,
    /// The epochs, from 1.
    pub epochs: Vec<HeldOutScores>,
    /// The epoch to stop after, from 1: the first whose difference to the best is within chance.
    pub chosen: usize,
    /// The gain of `chosen` over `start`.
    pub gain: Option<Gain>,
}

/// Scores on held-out images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOutScores {
    /// Share of right answers over all images.
    pub accuracy: f64,
    /// The standard error of `accuracy`, over groups.
    pub standard_error: f64,
    /// Share of right answers in each fold.
    pub accuracy_of_folds: Vec<f64>,
    /// Mean cross-entropy in nats, after one temperature for all folds: the score that decides.
    pub log_loss: f64,
    /// The standard error of `log_loss`, over groups.
    pub log_loss_standard_error: f64,
    /// The mean AUROC of each class against all others.
    pub auroc: Option<f64>,
}

/// How much better training is than its start, on the same images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gain {
    /// How much lower the log loss is.
    pub log_loss: f64,
    /// Its standard error, over groups.
    pub log_loss_standard_error: f64,
    /// How much higher the accuracy is.
    pub accuracy: f64,
    /// Its standard error, over groups.
    pub accuracy_standard_error: f64,
    /// Whether the log loss is lower by more than 1.96 standard errors.
    pub beats_start: bool,
}

/// Logits of every image, each by a training without it: one row per image, one value per class.
pub type Logits = Vec<Vec<f32>>;

/// The images that a training is cross-validated on.
#[derive(Debug, Clone, Copy)]
pub struct CrossValidatedImages<'a> {
    /// The class of each image.
    pub labels: &'a [usize],
    /// How many classes there are.
    pub classes: usize,
    /// The group of each image.
    pub groups: &'a [GroupNumber],
    /// The folds that were held out.
    pub folds: &'a Folds,
}

impl CrossValidatedImages<'_> {
    /// Scores the start, if there is one, and every epoch, and chooses.
    ///
    /// # Errors
    /// When there is no epoch, or logits are missing.
    pub fn search(&self, start: Option<&Logits>, epochs: &[Logits]) -> Result<EpochSearch> {
        let clusters = Clusters::of(self.groups);
        let calibrated = |logits: &Logits| Calibrated::of(logits, self.labels, self.classes);
        let losses = epochs.iter().map(calibrated).collect::<Result<Vec<_>>>()?;
        let mean = |it: &Calibrated| clusters.mean(|image| it.losses[image]).mean;
        let best = losses
            .iter()
            .min_by(|a, b| mean(a).total_cmp(&mean(b)))
            .ok_or(Error::NoCandidate { what: "epoch" })?;
        let is_tie = |it: &Calibrated| {
            is_chance(&clusters.mean(|image| it.losses[image] - best.losses[image]))
        };
        // The best is tied with itself.
        let chosen = losses.iter().position(is_tie).unwrap_or(0);
        let first = start.map(calibrated).transpose()?;
        let gain = start.zip(first.as_ref()).map(|(logits, first)| {
            let answers = [logits, &epochs[chosen]].map(|it| right(it, self.labels));
            gain(&clusters, [first, &losses[chosen]], &answers)
        });
        let scores = |(logits, own): (&Logits, &Calibrated)| self.scores(&clusters, logits, own);
        Ok(EpochSearch {
            folds: self.folds.count(),
            images: self.labels.len(),
            groups: clusters.count(),
            start: start.zip(first.as_ref()).map(scores),
            epochs: epochs.iter().zip(&losses).map(scores).collect(),
            chosen: chosen + 1,
            gain,
        })
    }

    fn scores(&self, clusters: &Clusters, logits: &Logits, own: &Calibrated) -> HeldOutScores {
        let right = right(logits, self.labels);
        let accuracy = clusters.mean(|image| f64::from(u8::from(right[image])));
        let log_loss = clusters.mean(|image| own.losses[image]);
        HeldOutScores {
            accuracy: accuracy.mean,
            standard_error: accuracy.standard_error,
            accuracy_of_folds: share_by_fold(&right, self.folds),
            log_loss: log_loss.mean,
            log_loss_standard_error: log_loss.standard_error,
            auroc: own.auroc,
        }
    }
}

fn gain(
    clusters: &Clusters,
    [start, end]: [&Calibrated; 2],
    [before, after]: &[Vec<bool>; 2],
) -> Gain {
    let lower = clusters.mean(|image| start.losses[image] - end.losses[image]);
    let number = |right: bool| f64::from(u8::from(right));
    let more = clusters.mean(|image| number(after[image]) - number(before[image]));
    Gain {
        log_loss: lower.mean,
        log_loss_standard_error: lower.standard_error,
        accuracy: more.mean,
        accuracy_standard_error: more.standard_error,
        beats_start: lower.mean > BEYOND_CHANCE * lower.standard_error,
    }
}

impl EpochSearch {
    /// The scores of the chosen epoch.
    ///
    /// # Panics
    /// When `chosen` is not one of the epochs, which cannot happen with
    /// [`CrossValidatedImages::search`].
    pub fn best(&self) -> &HeldOutScores {
        &self.epochs[self.chosen - 1]
    }
}

/// `cross-validation in 5 folds of 309 groups stops after epoch 6: log loss 0.42, …; …`
impl fmt::Display for EpochSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HeldOutScores { accuracy, standard_error, log_loss, .. } = self.best();
        write!(
            f,
            "cross-validation in {} folds of {} groups stops after epoch {} of {}: log loss {log_loss:.4}, \
             accuracy {accuracy:.4} ± {standard_error:.4} (standard error)",
            self.folds,
            self.groups,
            self.chosen,
            self.epochs.len(),
        )?;
        match &self.gain {
            Some(gain) => write!(f, "; {gain}"),
            None => Ok(()),
        }
    }
}

/// `fine-tuning beats the solved head: log loss lower by 0.03 ± 0.01, …`
impl fmt::Display for Gain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.beats_start { "beats" } else { "does not beat" };
        write!(
            f,
            "fine-tuning {verb} the solved head that it starts from: log loss {:+.4} ± {:.4}, accuracy \
             {:+.4} ± {:.4}",
            -self.log_loss,
            self.log_loss_standard_error,
            self.accuracy,
            self.accuracy_standard_error,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folds;

    const IMAGES: usize = 60;

    /// Logits of two classes that are wrong on the first images, or on the last if the number is
    /// negative, with confidence `sure`.
    fn wrong_on(count: i32, sure: f32) -> Logits {
        let row = |image: usize| {
            let class = image % 2;
            let place = if count < 0 { IMAGES - 1 - image } else { image };
            let is_wrong = place < count.unsigned_abs() as usize;
            let answer = if is_wrong { 1 - class } else { class };
            let mut row = vec![0.0; 2];
            row[answer] = sure;
            row
        };
        (0..IMAGES).map(row).collect()
    }

    fn searched(start: Option<i32>, epochs: &[i32]) -> EpochSearch {
        let labels: Vec<usize> = (0..IMAGES).map(|image| image % 2).collect();
        let groups: Vec<GroupNumber> = (0..IMAGES as u32).map(GroupNumber).collect();
        let folds = folds::assign(&labels, &groups, 3, 17).unwrap();
        let held =
            CrossValidatedImages { labels: &labels, classes: 2, groups: &groups, folds: &folds };
        let epochs: Vec<Logits> = epochs.iter().map(|first| wrong_on(*first, 1.0)).collect();
        held.search(start.map(|first| wrong_on(first, 2.0)).as_ref(), &epochs).unwrap()
    }

    #[test]
    fn training_stops_at_the_first_epoch_that_is_as_good_as_the_best() {
        let search = searched(None, &[30, 20, 6, -5, 12]);
        assert_eq!(
            search.chosen, 3,
            "eleven answers that differ, six one way, are chance: {search}"
        );
        assert!((search.best().accuracy - 0.9).abs() < 1e-12);
        assert_eq!((search.epochs.len(), search.gain), (5, None));
    }

    #[test]
    fn a_gain_is_found_and_has_the_hand_computed_size() {
        let search = searched(Some(20), &[18, 6, 6]);
        let gain = search.gain.clone().unwrap();
        assert_eq!(search.chosen, 2);
        assert!(gain.beats_start, "{search}");
        // Right on 54 instead of 40 of 60.
        assert!((gain.accuracy - 14.0 / 60.0).abs() < 1e-12);
        // At its best temperature an answer that is right on a share p of the images has p.
        let entropy = |p: f64| -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
        let expected = entropy(40.0 / 60.0) - entropy(54.0 / 60.0);
        assert!((gain.log_loss - expected).abs() < 1e-4, "{gain:?} is not {expected}");
        assert!(search.to_string().contains("fine-tuning beats the solved head"), "{search}");
    }

    #[test]
    fn what_is_no_better_than_its_start_is_said_so() {
        for epochs in [[6, 6], [5, 7], [20, 30]] {
            let search = searched(Some(6), &epochs);
            assert!(!search.gain.clone().unwrap().beats_start, "{search}");
            assert!(search.to_string().contains("does not beat"), "{search}");
        }
    }

    #[test]
    fn no_epoch_is_refused() {
        let labels = [0, 1, 0, 1];
        let groups = [0, 1, 2, 3].map(GroupNumber);
        let folds = folds::assign(&labels, &groups, 2, 1).unwrap();
        let held =
            CrossValidatedImages { labels: &labels, classes: 2, groups: &groups, folds: &folds };
        assert!(held.search(None, &[]).is_err());
    }
}
