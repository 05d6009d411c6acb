//! The choice of strength, width and cuts by cross-validation on the training images alone.
//!
//! Groups stay whole, each fold is standardised by the images outside it, and every candidate is
//! scored on the same held-out images. What differs by less than chance does not decide: of those
//! candidates the simplest is taken.

use std::sync::atomic::{AtomicUsize, Ordering};

use dataset::GroupNumber;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::folds::{self, Folds};
use crate::kernel::Limit;
use crate::rows::{columns_of, positive};
use crate::{Choice, Cut, Error, Kind, Labelled, Result};

mod held_out;
mod scores;

use held_out::Job;

/// Candidates that are behind the best by at most so many standard errors of their difference
/// count as equally good.
pub const TIE_STANDARD_ERRORS: f64 = 1.0;

/// Bytes that the matrices of folds fitted at the same time may have together, unless one alone
/// has more.
const BYTES_AT_A_TIME: usize = 1 << 30;

/// What is chosen from: every combination.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSpace {
    /// How many parts are held out in turn; fewer where a class has fewer groups.
    pub folds: usize,
    /// Deals the groups to the folds, and draws landmarks.
    pub seed: u64,
    /// See [`Choice::strength`].
    pub strengths: Vec<f64>,
    /// See [`Choice::width`]; none for a linear head.
    pub widths: Vec<f64>,
    /// Sets of cuts.
    pub cuts: Vec<Vec<String>>,
}

/// What was tried, what came of it, and what was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The kind of head.
    pub kind: Kind,
    /// How the choice was made, in words.
    pub rule: String,
    /// How many folds were asked for.
    pub folds_asked: usize,
    /// How many there were.
    pub folds: usize,
    /// How many images took part.
    pub images: usize,
    /// How many groups they are in.
    pub groups: usize,
    /// The place of the one chosen among the candidates.
    pub chosen: usize,
    /// Every combination: by cuts, then widths, then strengths, which ascend.
    pub candidates: Vec<Candidate>,
}

/// One combination, and how it did on images that it was not fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The combination.
    pub choice: Choice,
    /// How many features it reads.
    pub features: usize,
    /// Share of right answers over all images.
    pub accuracy: f64,
    /// The standard error of `accuracy`, over groups: images of one group are not independent.
    pub standard_error: f64,
    /// Share of right answers in each fold.
    pub accuracy_of_folds: Vec<f64>,
    /// Mean cross-entropy in nats, after one temperature for all folds.
    pub log_loss: f64,
    /// That temperature.
    pub temperature: f64,
    /// The mean AUROC of each class against all others.
    pub auroc: Option<f64>,
    /// By how much the best is more accurate.
    pub behind: f64,
    /// The standard error of `behind`, over groups, from answers to the same images.
    pub behind_standard_error: f64,
    /// Whether `behind` is within what counts as equally good.
    pub tie: bool,
}

/// A search with what its candidates were scored by.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The result.
    pub search: Search,
    /// Which images were held out together.
    pub folds: Folds,
    /// The logits of each image, by the chosen candidate fitted without its fold.
    pub logits: Vec<Vec<f32>>,
}

impl Search {
    /// The combination that was chosen.
    ///
    /// # Panics
    /// When `chosen` is beyond the last candidate, which it never is as made by [`search`].
    pub fn choice(&self) -> &Choice {
        &self.candidates[self.chosen].choice
    }
}

impl SearchSpace {
    fn check(&self, kind: Kind) -> Result<()> {
        match (kind, self.widths.is_empty()) {
            (Kind::Linear, false) => {
                return Err(Error::Width { kind: "linear", needs: "has no width" });
            }
            (Kind::Kernel, true) => return Err(Error::NoCandidate { what: "width" }),
            _ => {}
        }
        if self.strengths.is_empty() {
            return Err(Error::NoCandidate { what: "strength" });
        }
        if self.cuts.is_empty() {
            return Err(Error::NoCandidate { what: "set of cuts" });
        }
        self.widths.iter().try_for_each(|&width| positive("width", width))?;
        self.strengths.iter().try_for_each(|&strength| positive("strength", strength))
    }

    /// Strengths in ascending order, each once: every fit starts from the one before.
    fn ascending(&self) -> Vec<f64> {
        let mut strengths = self.strengths.clone();
        strengths.sort_by(f64::total_cmp);
        strengths.dedup();
        strengths
    }

    /// Widths, each once; one of none for a linear head.
    fn widths(&self) -> Vec<Option<f64>> {
        let mut widths: Vec<Option<f64>> = Vec::new();
        for &width in &self.widths {
            if !widths.contains(&Some(width)) {
                widths.push(Some(width));
            }
        }
        if widths.is_empty() { vec![None] } else { widths }
    }
}

/// Tries every combination. `progress` is told how many fits are done, of how many, by any thread.
///
/// # Errors
/// When the images cannot be learnt from or dealt to folds, the space is empty or names what is not
/// there, or a fit fails.
pub fn search(
    kind: Kind,
    data: &Labelled<'_>,
    groups: &[GroupNumber],
    cuts: &[Cut],
    space: &SearchSpace,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Searched> {
    search_with_limit(kind, data, groups, cuts, space, progress, Limit::DEFAULT)
}

pub(crate) fn search_with_limit(
    kind: Kind,
    data: &Labelled<'_>,
    groups: &[GroupNumber],
    cuts: &[Cut],
    space: &SearchSpace,
    progress: &(dyn Fn(usize, usize) + Sync),
    limit: Limit,
) -> Result<Searched> {
    data.check()?;
    space.check(kind)?;
    let folds = folds::assign(data.labels, groups, space.folds, space.seed)?;
    let (strengths, widths) = (space.ascending(), space.widths());
    let read: Vec<Vec<usize>> = space
        .cuts
        .iter()
        .map(|names| columns_of(names, cuts, data.rows.columns()))
        .collect::<Result<_>>()?;

    let jobs: Vec<Job<'_>> = (0..folds.count())
        .flat_map(|fold| read.iter().map(move |read| (fold, read)))
        .map(|(fold, read)| Job {
            kind,
            data,
            divided: folds.divide(fold),
            read,
            widths: &widths,
            strengths: &strengths,
            seed: space.seed,
            limit,
        })
        .collect();
    let of_job = widths.len() * strengths.len();
    let (fits, done) = (jobs.len() * of_job, AtomicUsize::new(0));
    let tell = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, fits);
    let most = jobs.iter().map(Job::bytes).max().unwrap_or(1).max(1);
    let at_a_time = (BYTES_AT_A_TIME / most).max(1);
    let mut held_out = Vec::with_capacity(jobs.len());
    for jobs in jobs.chunks(at_a_time) {
        let logits: Result<Vec<_>> = jobs.par_iter().map(|job| job.run(&tell)).collect();
        held_out.extend(logits?);
    }

    let mut tried = Vec::with_capacity(read.len() * of_job);
    for (set, (names, read)) in space.cuts.iter().zip(&read).enumerate() {
        for (place, (width, strength)) in
            widths.iter().flat_map(|width| strengths.iter().map(move |it| (width, it))).enumerate()
        {
            let choice = Choice { cuts: names.clone(), strength: *strength, width: *width };
            let mut logits = vec![Vec::new(); data.labels.len()];
            for fold in 0..folds.count() {
                let job = fold * space.cuts.len() + set;
                let held = &jobs[job].divided.1;
                for (image, row) in held.iter().zip(&mut held_out[job][place]) {
                    logits[*image] = std::mem::take(row);
                }
            }
            tried.push(scores::Tried { choice, features: read.len(), logits });
        }
    }
    let scored = scores::score(tried, data, groups, &folds)?;
    let search = Search {
        kind,
        rule: scores::rule(kind),
        folds_asked: space.folds,
        folds: folds.count(),
        images: data.labels.len(),
        groups: scored.groups,
        chosen: scored.chosen,
        candidates: scored.candidates,
    };
    Ok(Searched { search, folds, logits: scored.logits })
}
