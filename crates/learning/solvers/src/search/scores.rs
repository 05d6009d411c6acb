//! The scores of candidates, and the choice.

use std::cmp::Ordering;

use dataset::GroupNumber;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::answers::{Calibrated, Clusters, TIE_STANDARD_ERRORS, is_chance, right, share_by_fold};
use crate::folds::Folds;
use crate::{Choice, Error, Kind, Labelled, Result};

/// One combination, and its scores on images that it was not fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The combination.
    pub choice: Choice,
    /// Number of features it reads.
    pub features: usize,
    /// Share of right answers over all images.
    pub accuracy: f64,
    /// The standard error of `accuracy`, over groups: images of one group are not independent.
    pub standard_error: f64,
    /// Share of right answers in each fold.
    pub accuracy_of_folds: Vec<f64>,
    /// Mean cross-entropy in nats, after one temperature for all folds: the score that decides.
    pub log_loss: f64,
    /// The standard error of `log_loss`, over groups.
    pub log_loss_standard_error: f64,
    /// That temperature.
    pub temperature: f64,
    /// The mean AUROC of each class against all others.
    pub auroc: Option<f64>,
    /// How much lower the log loss of the best is.
    pub behind: f64,
    /// The standard error of `behind`, over groups, from answers to the same images.
    pub behind_standard_error: f64,
    /// Whether `behind` is small enough to count as equally good.
    pub tie: bool,
}

/// A candidate with its logits of every image, each from a fit without the image.
pub(super) struct TriedCandidate {
    pub(super) choice: Choice,
    pub(super) features: usize,
    pub(super) logits: Vec<Vec<f32>>,
}

pub(super) struct Scored {
    pub(super) groups: usize,
    pub(super) candidates: Vec<Candidate>,
    pub(super) chosen: usize,
    pub(super) logits: Vec<Vec<f32>>,
}

/// The rule in words.
pub(super) fn rule(kind: Kind) -> String {
    let simplest = match kind {
        Kind::Linear => "fewest features, then the smallest strength",
        Kind::Kernel => "fewest features, then the largest width, then the smallest strength",
    };
    let errors = match TIE_STANDARD_ERRORS {
        1.0 => "one standard error".to_owned(),
        errors => format!("{errors} standard errors"),
    };
    format!(
        "The lowest calibrated log loss on held-out images; of all that are behind it by at most \
         {errors} of the difference (paired, over groups), the simplest: {simplest}."
    )
}

pub(super) fn score(
    mut tried: Vec<TriedCandidate>,
    data: &Labelled<'_>,
    groups: &[GroupNumber],
    folds: &Folds,
) -> Result<Scored> {
    let groups = Clusters::of(groups);
    let calibrated: Vec<Calibrated> = tried
        .par_iter()
        .map(|it| Calibrated::of(&it.logits, data.labels, data.classes))
        .collect::<Result<_>>()?;
    let loss = |place: usize| groups.mean(|image| calibrated[place].losses[image]).mean;
    let best = (0..tried.len())
        .min_by(|a, b| loss(*a).total_cmp(&loss(*b)).then_with(|| simpler(&tried[*a], &tried[*b])))
        .ok_or(Error::NoCandidate { what: "candidate" })?;

    let candidate = |place: usize| {
        let (own, best) = (&calibrated[place], &calibrated[best]);
        let behind = groups.mean(|image| own.losses[image] - best.losses[image]);
        let right = right(&tried[place].logits, data.labels);
        let accuracy = groups.mean(|image| f64::from(u8::from(right[image])));
        let log_loss = groups.mean(|image| own.losses[image]);
        Candidate {
            choice: tried[place].choice.clone(),
            features: tried[place].features,
            accuracy: accuracy.mean,
            standard_error: accuracy.standard_error,
            accuracy_of_folds: share_by_fold(&right, folds),
            log_loss: log_loss.mean,
            log_loss_standard_error: log_loss.standard_error,
            temperature: own.temperature,
            auroc: own.auroc,
            behind: behind.mean,
            behind_standard_error: behind.standard_error,
            tie: is_chance(&behind),
        }
    };
    let candidates: Vec<Candidate> = (0..tried.len()).into_par_iter().map(candidate).collect();
    let ties = (0..tried.len()).filter(|place| candidates[*place].tie);
    let chosen = ties.min_by(|a, b| simpler(&tried[*a], &tried[*b])).unwrap_or(best);
    let logits = std::mem::take(&mut tried[chosen].logits);
    Ok(Scored { groups: groups.count(), candidates, chosen, logits })
}

/// Fewest features, then the largest width, then the smallest strength.
fn simpler(a: &TriedCandidate, b: &TriedCandidate) -> Ordering {
    let width = |it: &TriedCandidate| it.choice.width.unwrap_or(0.0);
    let strength = |it: &TriedCandidate| it.choice.strength;
    a.features
        .cmp(&b.features)
        .then_with(|| width(b).total_cmp(&width(a)))
        .then_with(|| strength(a).total_cmp(&strength(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rows, folds};

    /// Logits of two classes that are right on some images.
    fn tried(right: &[bool], labels: &[usize], features: usize, strength: f64) -> TriedCandidate {
        let row = |(right, label): (&bool, &usize)| {
            let mut row = vec![0.0; 2];
            row[if *right { *label } else { 1 - *label }] = 1.0;
            row
        };
        let logits = right.iter().zip(labels).map(row).collect();
        let choice = Choice { cuts: Vec::new(), strength, width: Some(1.0) };
        TriedCandidate { choice, features, logits }
    }

    /// The chosen one of candidates with this many wrong answers, which come first, or last if the
    /// number is negative.
    fn chosen(candidates: &[(i32, usize, f64)]) -> Scored {
        const IMAGES: usize = 100;
        let labels: Vec<usize> = (0..IMAGES).map(|image| image % 2).collect();
        let groups: Vec<_> = (0..IMAGES as u32).map(GroupNumber).collect();
        let features = vec![0.0; IMAGES];
        let rows = Rows::new(&features, 1).unwrap();
        let data = Labelled { rows, labels: &labels, classes: 2, class_weights: None };
        let folds = folds::assign(&labels, &groups, 5, 1).unwrap();
        let tried = candidates.iter().map(|(wrong, features, strength)| {
            let place = |image: usize| if *wrong < 0 { IMAGES - 1 - image } else { image };
            let wrong = wrong.unsigned_abs() as usize;
            let right: Vec<bool> = (0..IMAGES).map(|image| place(image) >= wrong).collect();
            tried(&right, &labels, *features, *strength)
        });
        score(tried.collect(), &data, &groups, &folds).unwrap()
    }

    #[test]
    fn a_simpler_candidate_that_is_behind_by_chance_is_taken() {
        // Ten and eleven of a hundred, on different images: that is chance.
        assert_eq!(chosen(&[(10, 8, 1.0), (-11, 4, 1.0)]).chosen, 1);
        assert_eq!(chosen(&[(10, 8, 1.0), (10, 8, 0.5)]).chosen, 1);
    }

    #[test]
    fn a_simpler_candidate_that_is_clearly_behind_is_not() {
        // Twenty wrong of a hundred: after calibration the probability is 4/5, and the losses are
        // ln 5/4 and ln 5. With none wrong the loss is almost zero.
        let scored = chosen(&[(20, 4, 1.0), (0, 8, 1.0), (0, 8, 2.0)]);
        assert_eq!(scored.chosen, 1);
        let loss = 0.8 * 1.25_f64.ln() + 0.2 * 5.0_f64.ln();
        assert!((scored.candidates[0].behind - loss).abs() < 1e-6);
        assert!(!scored.candidates[0].tie);
        let variance = 0.2 * 0.8 * 4.0_f64.ln().powi(2);
        let error = (100.0 / 99.0 * 100.0 * variance).sqrt() / 100.0;
        assert!((scored.candidates[0].behind_standard_error - error).abs() < 1e-6);
        assert_eq!(scored.candidates[0].accuracy, 0.8);
        assert_eq!(scored.candidates[1].auroc, Some(1.0));
    }
}
