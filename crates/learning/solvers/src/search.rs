//! The choice of strength, width and cuts by cross-validation on the training images alone.
//!
//! Groups stay whole, each fold is standardised by the images outside it, and every candidate is
//! scored on the same held-out images, by the log loss of its calibrated probabilities: the
//! accuracy on a few hundred images depends more on chance. Differences within chance do not decide
//! either: of those candidates the simplest is chosen.

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
pub use scores::Candidate;

/// Bytes that the matrices of folds fitted at the same time may have together, unless one alone has
/// more.
const BYTES_AT_A_TIME: usize = 1 << 30;

/// The values to choose from: every combination is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSpace {
    /// Number of parts that are held out in turn; fewer if a class has fewer groups.
    pub folds: usize,
    /// Seed of the folds and of the landmarks.
    pub seed: u64,
    /// See [`Choice::strength`].
    pub strengths: Vec<f64>,
    /// See [`Choice::width`]; none for a linear head.
    pub widths: Vec<f64>,
    /// Sets of cuts.
    pub cuts: Vec<Vec<String>>,
}

/// The candidates, their scores, and the choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The kind of head.
    pub kind: Kind,
    /// How the choice was made, in words.
    pub rule: String,
    /// Number of folds requested.
    pub folds_asked: usize,
    /// Number of folds used.
    pub folds: usize,
    /// Number of images.
    pub images: usize,
    /// Number of groups that they are in.
    pub groups: usize,
    /// The position of the chosen one among the candidates.
    pub chosen: usize,
    /// Every combination: by cuts, then widths, then strengths, which ascend.
    pub candidates: Vec<Candidate>,
}

/// A search with the data that its candidates were scored by.
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
    /// The chosen combination.
    ///
    /// # Panics
    /// When `chosen` is beyond the last candidate, which cannot happen with [`search`].
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

    /// Widths, each once; for a linear head one `None`.
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

/// Tries every combination. `progress` is called, from any thread, with the number of finished fits
/// and the total.
///
/// # Errors
/// When the images cannot be used or assigned to folds, the space is empty or has unknown names, or
/// a fit fails.
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
            tried.push(scores::TriedCandidate { choice, features: read.len(), logits });
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::testing::{Drawn, cuts, on_threads};

    const ON_LANDMARKS: Limit = Limit { exact: 0, landmarks: 20 };

    fn space(kind: Kind) -> SearchSpace {
        SearchSpace {
            folds: 4,
            seed: 7,
            strengths: vec![10.0, 0.1, 1.0],
            widths: if kind == Kind::Kernel { vec![0.5, 2.0] } else { Vec::new() },
            cuts: vec![vec!["all".to_owned()], vec!["half".to_owned()]],
        }
    }

    /// Pairs of images of one class share a group.
    fn groups(images: usize) -> Vec<GroupNumber> {
        (0..images).map(|image| GroupNumber((image / 6 * 3 + image % 3) as u32)).collect()
    }

    fn found(kind: Kind, limit: Limit) -> Searched {
        let drawn = Drawn::new(120, 12, 3);
        let (space, groups) = (space(kind), groups(120));
        search_with_limit(kind, &drawn.data(), &groups, &cuts(12), &space, &|_, _| {}, limit)
            .unwrap()
    }

    #[test]
    fn every_combination_is_scored_on_every_image() {
        let cases = [
            (Kind::Linear, Limit::DEFAULT),
            (Kind::Kernel, Limit::DEFAULT),
            (Kind::Kernel, ON_LANDMARKS),
        ];
        for (kind, limit) in cases {
            let Searched { search, folds, logits } = found(kind, limit);
            let combinations = if kind == Kind::Kernel { 12 } else { 6 };
            assert_eq!(search.candidates.len(), combinations);
            assert_eq!((search.folds, search.images, search.groups), (4, 120, 60));
            let strengths: Vec<f64> =
                search.candidates[..3].iter().map(|it| it.choice.strength).collect();
            assert_eq!(strengths, [0.1, 1.0, 10.0]);

            let drawn = Drawn::new(120, 12, 3);
            let is_right = |image: &usize| {
                let row: &Vec<f32> = &logits[*image];
                row.iter().all(|logit| *logit <= row[drawn.labels[*image]])
            };
            let right = (0..120).filter(is_right).count();
            let chosen = &search.candidates[search.chosen];
            assert!((chosen.accuracy - right as f64 / 120.0).abs() < 1e-12);
            assert!(chosen.accuracy > 0.7, "{kind:?} {limit:?} {}", chosen.accuracy);
            assert_eq!(chosen.accuracy_of_folds.len(), 4);
            let held = |fold| folds.of_images().iter().filter(|of| **of == fold).count() as f64;
            let of_folds = chosen.accuracy_of_folds.iter().enumerate();
            let mean: f64 = of_folds.map(|(fold, it)| it * held(fold) / 120.0).sum();
            assert!((mean - chosen.accuracy).abs() < 1e-12);
        }
    }

    #[test]
    fn a_candidate_is_what_fitting_without_the_fold_gives() {
        let drawn = Drawn::new(120, 12, 3);
        let Searched { search, folds, logits } = found(Kind::Linear, Limit::DEFAULT);
        let (fitted, held) = folds.divide(0);
        let features: Vec<f32> =
            fitted.iter().flat_map(|image| drawn.data().rows.row(*image).to_vec()).collect();
        let labels: Vec<usize> = fitted.iter().map(|image| drawn.labels[*image]).collect();
        let rows = crate::Rows::new(&features, 12).unwrap();
        let data = Labelled { rows, labels: &labels, classes: 3, class_weights: None };
        let alone = crate::linear::fit(&data, &cuts(12), search.choice()).unwrap();
        let expected = alone.logits(&drawn.data().rows).unwrap();
        for image in held {
            for (found, expected) in logits[image].iter().zip(&expected[image]) {
                assert!((found - expected).abs() < 1e-3, "{found}, {expected}");
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        for limit in [Limit::DEFAULT, ON_LANDMARKS] {
            let on = |threads| on_threads(threads, || found(Kind::Kernel, limit));
            assert_eq!(on(1), on(3));
        }
        let on = |threads| on_threads(threads, || found(Kind::Linear, Limit::DEFAULT));
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn progress_counts_every_fit_once() {
        let drawn = Drawn::new(120, 12, 3);
        let told = Mutex::new(Vec::new());
        let tell = |done, of| told.lock().unwrap().push((done, of));
        let (space, groups) = (space(Kind::Linear), groups(120));
        search(Kind::Linear, &drawn.data(), &groups, &cuts(12), &space, &tell).unwrap();
        let mut told = told.into_inner().unwrap();
        told.sort_unstable();
        assert_eq!(told, (1..=24).map(|done| (done, 24)).collect::<Vec<_>>());
    }

    #[test]
    fn a_search_is_read_back_as_it_was_written() {
        let Searched { search, .. } = found(Kind::Kernel, Limit::DEFAULT);
        let text = serde_json::to_string(&search).unwrap();
        assert_eq!(serde_json::from_str::<Search>(&text).unwrap(), search);
    }

    #[test]
    fn an_empty_space_is_refused_by_what_is_missing() {
        let drawn = Drawn::new(12, 12, 3);
        let refused = |kind, space: &SearchSpace| {
            search(kind, &drawn.data(), &groups(12), &cuts(12), space, &|_, _| {}).unwrap_err()
        };
        let missing = |what| Error::NoCandidate { what };
        let kernel = space(Kind::Kernel);
        let none = SearchSpace { widths: Vec::new(), ..kernel.clone() };
        assert_eq!(refused(Kind::Kernel, &none), missing("width"));
        let none = SearchSpace { strengths: Vec::new(), ..kernel.clone() };
        assert_eq!(refused(Kind::Kernel, &none), missing("strength"));
        let none = SearchSpace { cuts: Vec::new(), ..kernel.clone() };
        assert_eq!(refused(Kind::Kernel, &none), missing("set of cuts"));
        let has = Error::Width { kind: "linear", needs: "has no width" };
        assert_eq!(refused(Kind::Linear, &kernel), has);
    }
}
