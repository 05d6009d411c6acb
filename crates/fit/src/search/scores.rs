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
    format!(
        "the highest accuracy on held-out images; of all that are behind it by at most \
         {TIE_STANDARD_ERRORS} standard errors of the difference (paired, over groups), the \
         simplest: {simplest}"
    )
}

pub(super) fn score(
    mut tried: Vec<Tried>,
    data: &Labelled<'_>,
    groups: &[GroupNumber],
    folds: &Folds,
) -> Result<Scored> {
    let groups = Clusters::of(groups);
    let right: Vec<Vec<bool>> = tried.iter().map(|it| right(it, data)).collect();
    let accuracy: Vec<f64> = right.iter().map(|right| share(right)).collect();
    let best = (0..tried.len())
        .min_by(|a, b| {
            accuracy[*b].total_cmp(&accuracy[*a]).then_with(|| simpler(&tried[*a], &tried[*b]))
        })
        .ok_or(Error::NoCandidate { what: "candidate" })?;

    let candidates: Vec<Candidate> = (0..tried.len())
        .into_par_iter()
        .map(|place| {
            let behind = groups.mean(|image| {
                f64::from(u8::from(right[best][image])) - f64::from(u8::from(right[place][image]))
            });
            let (log_loss, temperature, auroc) = probabilistic(&tried[place], data)?;
            let own = groups.mean(|image| f64::from(u8::from(right[place][image])));
            Ok(Candidate {
                choice: tried[place].choice.clone(),
                features: tried[place].features,
                accuracy: accuracy[place],
                standard_error: own.standard_error,
                accuracy_of_folds: by_fold(&right[place], folds),
                log_loss,
                temperature,
                auroc,
                behind: behind.mean,
                behind_standard_error: behind.standard_error,
                tie: behind.mean <= TIE_STANDARD_ERRORS * behind.standard_error,
            })
        })
        .collect::<Result<_>>()?;
    let ties = (0..tried.len()).filter(|place| candidates[*place].tie);
    let chosen = ties.min_by(|a, b| simpler(&tried[*a], &tried[*b])).unwrap_or(best);
    let logits = std::mem::take(&mut tried[chosen].logits);
    Ok(Scored { groups: groups.of_group.len(), candidates, chosen, logits })
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

/// Log loss, its temperature, and the AUROC.
fn probabilistic(tried: &Tried, data: &Labelled<'_>) -> Result<(f64, f64, Option<f64>)> {
    let rows = tried.logits.iter().zip(data.labels).map(|(row, label)| {
        (ClassIndex(*label), row.iter().map(|it| f64::from(*it)).collect::<Vec<_>>())
    });
    let logits = LabelledLogits::new(data.classes, rows).map_err(|_| Error::NoLogits)?;
    let fit = logits.fit_temperature();
    let loss = logits.cross_entropy(fit.temperature).ok_or(Error::NoLogits)?;
    Ok((loss, fit.temperature.get(), auroc_one_vs_rest(&logits.probabilities(fit.temperature))))
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
