//! What the choice is worth: each fold is predicted by an ensemble that was chosen without it.

use anyhow::{Result, anyhow};
use dataset::GroupNumber;
use metrics::{Bootstrap, Difference, Groups, Sample, most_probable};
use serde::Serialize;
use solvers::folds::{self, Folds};

use crate::candidate::Candidates;
use crate::greedy::{Probabilities, calibrated_on, draws, loss, mean};

/// How the members get their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// By greedy selection.
    Greedy,
    /// All alike.
    Equal,
}

/// The parts that are held out in turn, and their seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holding {
    pub(crate) folds: u32,
    pub(crate) seed: u64,
}

/// The ensemble beside its best member, each chosen without the images that it is scored on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Contest {
    pub(crate) images: usize,
    pub(crate) groups: usize,
    pub(crate) folds: usize,
    /// First: the ensemble. Second: the model that was best on the other folds.
    pub(crate) log_loss: Difference,
    /// The same.
    pub(crate) accuracy: Difference,
    pub(crate) verdict: Verdict,
}

/// Whether the ensemble predicts better than its best member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The whole interval of the difference in log loss is below 0.
    Better,
    /// It is not.
    NoBetter,
}

/// Log loss and whether the answer is right, by image.
struct Scored {
    losses: Vec<f64>,
    right: Vec<bool>,
}

/// The weights, as counts, from all images.
pub(crate) fn choose(candidates: &Candidates, choice: Choice) -> Result<Vec<u32>> {
    let all: Vec<usize> = (0..candidates.images.len()).collect();
    let rows = calibrated(candidates, &all)?;
    Ok(chosen(candidates, choice, &rows, &all))
}

/// Scores the choice.
///
/// # Errors
/// When no part of the images can be held out.
pub(crate) fn contest(
    candidates: &Candidates,
    choice: Choice,
    holding: Holding,
    class_names: &[String],
) -> Result<Contest> {
    let labels = candidates.labels();
    let groups: Vec<GroupNumber> =
        candidates.images.iter().map(|image| GroupNumber(image.group)).collect();
    let folds = folds::assign(&labels, &groups, holding.folds as usize, holding.seed)
        .map_err(|error| anyhow!(error.in_words(class_names)))?;
    let mut ensemble = Scored::new(labels.len());
    let mut best = Scored::new(labels.len());
    for fold in 0..folds.count() {
        score_fold(candidates, choice, (&folds, fold), (&mut ensemble, &mut best))?;
    }
    let bootstrap = Bootstrap::of_seed(holding.seed);
    let groups = Groups::of(candidates.images.iter().map(|image| image.group));
    let scores = |scored: &Scored, sample: &Sample| scored.of(sample);
    let differences = bootstrap.differences(
        &groups,
        |sample| scores(&ensemble, sample),
        |sample| scores(&best, sample),
    );
    let [log_loss, accuracy] = differences[..] else { unreachable!("there are two scores") };
    let is_better = log_loss.difference.interval.is_some_and(|interval| interval.high < 0.0);
    Ok(Contest {
        images: labels.len(),
        groups: groups.len(),
        folds: folds.count(),
        log_loss,
        accuracy,
        verdict: if is_better { Verdict::Better } else { Verdict::NoBetter },
    })
}

fn score_fold(
    candidates: &Candidates,
    choice: Choice,
    (folds, fold): (&Folds, usize),
    (ensemble, best): (&mut Scored, &mut Scored),
) -> Result<()> {
    let labels = candidates.labels();
    let (rest, held_out) = folds.divide(fold);
    let rows = calibrated(candidates, &rest)?;
    let drawn = chosen(candidates, choice, &rows, &rest);
    let single = best_alone(candidates, &rows, &labels, &rest);
    for image in held_out {
        ensemble.note(image, &mean(&rows, &drawn, image), labels[image]);
        best.note(image, &rows[single][image], labels[image]);
    }
    Ok(())
}

fn calibrated(candidates: &Candidates, images: &[usize]) -> Result<Vec<Probabilities>> {
    let labels = candidates.labels();
    candidates.all.iter().map(|candidate| calibrated_on(candidate, &labels, images)).collect()
}

fn chosen(
    candidates: &Candidates,
    choice: Choice,
    rows: &[Probabilities],
    images: &[usize],
) -> Vec<u32> {
    match choice {
        Choice::Equal => vec![1; candidates.all.len()],
        Choice::Greedy => draws(rows, &may_start(candidates), &candidates.labels(), images),
    }
}

/// Pictures as they are come first: the checks for foreign images are of them.
fn may_start(candidates: &Candidates) -> Vec<bool> {
    candidates.all.iter().map(|candidate| candidate.flip.is_none()).collect()
}

/// The model, seeing pictures as they are, with the lowest log loss of some images.
fn best_alone(
    candidates: &Candidates,
    rows: &[Probabilities],
    labels: &[usize],
    images: &[usize],
) -> usize {
    let plain = (0..rows.len()).filter(|it| candidates.all[*it].flip.is_none());
    let total = |candidate: &usize| -> f64 {
        images.iter().map(|image| loss(rows[*candidate][*image][labels[*image]])).sum()
    };
    plain.min_by(|one, other| total(one).total_cmp(&total(other))).unwrap_or(0)
}

impl Scored {
    fn new(images: usize) -> Self {
        Self { losses: vec![0.0; images], right: vec![false; images] }
    }

    fn note(&mut self, image: usize, probabilities: &[f64], label: usize) {
        self.losses[image] = loss(probabilities[label]);
        self.right[image] = most_probable(probabilities).is_some_and(|class| class.0 == label);
    }

    /// Log loss and accuracy of a sample.
    fn of(&self, sample: &Sample) -> Vec<Option<f64>> {
        let drawn = sample.images();
        let count = drawn.len() as f64;
        let loss: f64 = drawn.iter().map(|image| self.losses[*image]).sum();
        let right = drawn.iter().filter(|image| self.right[**image]).count();
        vec![Some(loss / count), Some(right as f64 / count)]
    }
}

#[cfg(test)]
mod tests;
