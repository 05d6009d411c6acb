//! How candidates did, and which is taken.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use dataset::{ClassIndex, GroupNumber};
use metrics::{LabelledLogits, auroc_one_vs_rest};
use rayon::prelude::*;

use super::{Candidate, TIE_STANDARD_ERRORS};
use crate::folds::Folds;
use crate::{Choice, Error, Kind, Labelled, Result};

/// A candidate with its logits of every image, each from a fit without the image.
pub(super) struct Tried {
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
    mut tried: Vec<Tried>,
    data: &Labelled<'_>,
    groups: &[GroupNumber],
    folds: &Folds,
) -> Result<Scored> {
    let groups = Clusters::of(groups);
    let calibrated: Vec<Calibrated> =
        tried.par_iter().map(|it| Calibrated::of(it, data)).collect::<Result<_>>()?;
    let loss = |place: usize| groups.mean(|image| calibrated[place].losses[image]).mean;
    let best = (0..tried.len())
        .min_by(|a, b| loss(*a).total_cmp(&loss(*b)).then_with(|| simpler(&tried[*a], &tried[*b])))
        .ok_or(Error::NoCandidate { what: "candidate" })?;

    let candidate = |place: usize| {
        let (own, best) = (&calibrated[place], &calibrated[best]);
        let behind = groups.mean(|image| own.losses[image] - best.losses[image]);
        let right = right(&tried[place], data);
        let accuracy = groups.mean(|image| f64::from(u8::from(right[image])));
        let log_loss = groups.mean(|image| own.losses[image]);
        Candidate {
            choice: tried[place].choice.clone(),
            features: tried[place].features,
            accuracy: accuracy.mean,
            standard_error: accuracy.standard_error,
            accuracy_of_folds: by_fold(&right, folds),
            log_loss: log_loss.mean,
            log_loss_standard_error: log_loss.standard_error,
            temperature: own.temperature,
            auroc: own.auroc,
            behind: behind.mean,
            behind_standard_error: behind.standard_error,
            tie: is_tie(&behind),
        }
    };
    let candidates: Vec<Candidate> = (0..tried.len()).into_par_iter().map(candidate).collect();
    let ties = (0..tried.len()).filter(|place| candidates[*place].tie);
    let chosen = ties.min_by(|a, b| simpler(&tried[*a], &tried[*b])).unwrap_or(best);
    let logits = std::mem::take(&mut tried[chosen].logits);
    Ok(Scored { groups: groups.of_group.len(), candidates, chosen, logits })
}

/// One image more or less among groups of one is a standard error to the last digit: rounding must
/// not decide.
fn is_tie(behind: &Mean) -> bool {
    behind.mean <= TIE_STANDARD_ERRORS * behind.standard_error * (1.0 + 1e-9)
}

/// Fewest features, then the largest width, then the smallest strength.
fn simpler(a: &Tried, b: &Tried) -> Ordering {
    let width = |it: &Tried| it.choice.width.unwrap_or(0.0);
    let strength = |it: &Tried| it.choice.strength;
    a.features
        .cmp(&b.features)
        .then_with(|| width(b).total_cmp(&width(a)))
        .then_with(|| strength(a).total_cmp(&strength(b)))
}

fn right(tried: &Tried, data: &Labelled<'_>) -> Vec<bool> {
    let is_right = |(row, label): (&Vec<f32>, &usize)| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter().position(|logit| *logit == largest) == Some(*label)
    };
    tried.logits.iter().zip(data.labels).map(is_right).collect()
}

fn share(right: &[bool]) -> f64 {
    right.iter().filter(|right| **right).count() as f64 / right.len() as f64
}

fn by_fold(right: &[bool], folds: &Folds) -> Vec<f64> {
    let of_fold = |fold| {
        let held = folds.of_images().iter().zip(right).filter(|(of, _)| **of == fold);
        share(&held.map(|(_, right)| *right).collect::<Vec<_>>())
    };
    (0..folds.count()).map(of_fold).collect()
}

/// A candidate's probabilities, at the temperature that suits all of its logits best.
struct Calibrated {
    /// Of each image, −ln of the probability of its class.
    losses: Vec<f64>,
    temperature: f64,
    auroc: Option<f64>,
}

impl Calibrated {
    fn of(tried: &Tried, data: &Labelled<'_>) -> Result<Self> {
        let rows = tried.logits.iter().zip(data.labels).map(|(row, label)| {
            (ClassIndex(*label), row.iter().map(|it| f64::from(*it)).collect::<Vec<_>>())
        });
        let logits = LabelledLogits::new(data.classes, rows).map_err(|_| Error::NoLogits)?;
        let temperature = logits.fit_temperature().temperature;
        let predictions = logits.probabilities(temperature);
        // As scikit-learn's log_loss, no probability counts as smaller than the smallest step above 0.
        let loss = |(class, row): (ClassIndex, &[f64])| -row[class.0].max(f64::EPSILON).ln();
        let losses = predictions.rows().map(loss).collect();
        let auroc = auroc_one_vs_rest(&predictions);
        Ok(Self { losses, temperature: temperature.get(), auroc })
    }
}

/// The images of each group.
struct Clusters {
    of_group: Vec<Vec<usize>>,
    images: usize,
}

struct Mean {
    mean: f64,
    standard_error: f64,
}

impl Clusters {
    fn of(groups: &[GroupNumber]) -> Self {
        let mut of_group: BTreeMap<GroupNumber, Vec<usize>> = BTreeMap::new();
        for (image, group) in groups.iter().enumerate() {
            of_group.entry(*group).or_default().push(image);
        }
        Self { of_group: of_group.into_values().collect(), images: groups.len() }
    }

    /// The mean of a value of every image, and its standard error as groups of images were drawn:
    /// the linearised one of a ratio, `√(G / (G − 1) Σ_g (Σ_{i in g} (vᵢ − mean))²) / N` (Cochran
    /// 1977, "Sampling Techniques", section 6.7, without the correction for a finite population).
    fn mean(&self, value: impl Fn(usize) -> f64) -> Mean {
        let images = self.images as f64;
        let mean = (0..self.images).map(&value).sum::<f64>() / images;
        let off = |group: &Vec<usize>| group.iter().map(|image| value(*image) - mean).sum::<f64>();
        let squares: f64 = self.of_group.iter().map(|group| off(group).powi(2)).sum();
        let groups = self.of_group.len() as f64;
        Mean { mean, standard_error: (groups / (groups - 1.0) * squares).sqrt() / images }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rows, folds};

    fn numbers<const N: usize>(groups: [u32; N]) -> Vec<GroupNumber> {
        groups.map(GroupNumber).to_vec()
    }

    #[test]
    fn images_of_one_group_count_as_one_in_the_standard_error() {
        // Right, right, wrong, right: each alone is off the mean 3/4 by 1/4, 1/4, −3/4, 1/4.
        let right = [1.0, 1.0, 0.0, 1.0];
        let alone = Clusters::of(&numbers([0, 1, 2, 3])).mean(|image| right[image]);
        assert_eq!(alone.mean, 0.75);
        assert!((alone.standard_error - (4.0 / 3.0 * 0.75_f64).sqrt() / 4.0).abs() < 1e-12);
        // Of two pairs the sums are off by 1/2 and −1/2.
        let pairs = Clusters::of(&numbers([5, 5, 9, 9])).mean(|image| right[image]);
        assert!((pairs.standard_error - (2.0 * 0.5_f64).sqrt() / 4.0).abs() < 1e-12);
    }

    /// Logits of two classes that are right on some images.
    fn tried(right: &[bool], labels: &[usize], features: usize, strength: f64) -> Tried {
        let row = |(right, label): (&bool, &usize)| {
            let mut row = vec![0.0; 2];
            row[if *right { *label } else { 1 - *label }] = 1.0;
            row
        };
        let logits = right.iter().zip(labels).map(row).collect();
        let choice = Choice { cuts: Vec::new(), strength, width: Some(1.0) };
        Tried { choice, features, logits }
    }

    /// The chosen one of candidates with so many wrong answers, which come first, or last where the
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
        // Ten and eleven of a hundred, all others: that is chance.
        assert_eq!(chosen(&[(10, 8, 1.0), (-11, 4, 1.0)]).chosen, 1);
        assert_eq!(chosen(&[(10, 8, 1.0), (10, 8, 0.5)]).chosen, 1);
    }

    #[test]
    fn a_simpler_candidate_that_is_clearly_behind_is_not() {
        // Twenty images of a hundred: calibrated, four fifths of the probability is right, and the
        // losses are ln 5/4 and ln 5. None wrong: next to no loss.
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
