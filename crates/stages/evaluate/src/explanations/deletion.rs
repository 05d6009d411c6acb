//! How the answer changes when the marked places are covered, compared with as many places
//! elsewhere.

use anyhow::Result;
use artifact::Digest;
use metrics::{Estimate, softmax_with_temperature};
use serde::Serialize;

use super::{Case, Examination, Subject};
use crate::worth::mean_over;

/// Shares of the picture that are deleted, between nothing and everything.
const SHARES: [f64; 5] = [0.1, 0.2, 0.3, 0.5, 0.75];

/// Number of images whose covered variants are in memory at once.
const BATCH: usize = 6;

/// Deletion curves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Deletion {
    /// Number of images with a map that is not empty.
    pub(crate) images: usize,
    /// Number of network passes.
    pub(crate) passes: usize,
    /// Mean probability of the predicted class by share of the picture deleted, from 0 to 1.
    pub(crate) curve: Vec<DeletionPoint>,
    /// The area below the curve if the marked places are covered first. The smaller, the better the
    /// map.
    pub(crate) marked_area: Estimate,
    /// The area if the same shape is covered first, moved to another place.
    pub(crate) elsewhere_area: Estimate,
    /// The second area less the first, image by image.
    pub(crate) gain: Estimate,
    /// Whether the gain is larger than chance.
    pub(crate) is_better: bool,
}

/// A point of the curves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct DeletionPoint {
    /// Share of the picture that is covered.
    pub(crate) share: f64,
    /// Mean probability if the marked places are covered.
    pub(crate) marked: f64,
    /// Mean probability if other places are covered.
    pub(crate) elsewhere: f64,
}

/// The probabilities of one image's curves, at [`SHARES`].
struct Curves {
    place: usize,
    whole: f64,
    marked: Vec<f64>,
    elsewhere: Vec<f64>,
}

impl Examination<'_> {
    /// Covers more and more of each picture; none if every map is empty.
    ///
    /// The control covers the same shape, moved by a random distance around the edges of the
    /// picture, and not scattered cells: scattered cells would destroy textures everywhere, and any
    /// map would look poor in comparison.
    pub(super) fn delete(
        &self,
        subject: &impl Subject,
        cases: &[Case],
    ) -> Result<Option<Deletion>> {
        let cases: Vec<&Case> = cases.iter().filter(|case| !case.is_empty()).collect();
        let Some(first) = cases.first() else { return Ok(None) };
        let nothing = self.nothing_left(first);
        let nothing = &subject.logits(&[nothing])?[0];
        let bar = terminal::items_bar(cases.len() as u64, "deletion");
        let mut curves = Vec::with_capacity(cases.len());
        for batch in cases.chunks(BATCH) {
            let variants: Vec<Vec<f32>> =
                batch.iter().flat_map(|case| self.variants(case)).collect();
            let logits = subject.logits(&variants)?;
            for (case, rows) in batch.iter().zip(logits.chunks_exact(2 * SHARES.len())) {
                let of = |row: &Vec<f32>| self.probability(row, case);
                let (marked, elsewhere) = rows.split_at(SHARES.len());
                curves.push(Curves {
                    place: case.place,
                    whole: case.probability,
                    marked: marked.iter().map(of).chain([of(nothing)]).collect(),
                    elsewhere: elsewhere.iter().map(of).chain([of(nothing)]).collect(),
                });
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(Some(self.summarise(&curves)))
    }

    /// The picture of a case with everything covered.
    fn nothing_left(&self, case: &Case) -> Vec<f32> {
        let mut seen = case.seen.clone();
        self.mask.cover_all(&mut seen);
        seen
    }

    /// The picture with each of [`SHARES`] covered: marked places first, then others.
    fn variants(&self, case: &Case) -> Vec<Vec<f32>> {
        let cells = case.map.side;
        let marked = order(&case.map.values);
        let name = &self.test.images[case.place].name;
        let (down, across) = distance(self.bootstrap.seed, name, cells);
        let moved =
            |cell: &usize| (cell / cells + down) % cells * cells + (cell % cells + across) % cells;
        let elsewhere: Vec<usize> = marked.iter().map(moved).collect();
        let covered = |order: &[usize], share: f64| {
            let count = ((order.len() as f64 * share).round() as usize).max(1);
            let mut seen = case.seen.clone();
            for cell in &order[..count] {
                self.mask.cover_cell(&mut seen, cells, *cell);
            }
            seen
        };
        let of = |order: Vec<usize>| SHARES.map(|share| covered(&order, share));
        [of(marked), of(elsewhere)].concat()
    }

    fn probability(&self, logits: &[f32], case: &Case) -> f64 {
        let exact: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
        softmax_with_temperature(&exact, self.temperature)[case.predicted.0]
    }

    fn summarise(&self, curves: &[Curves]) -> Deletion {
        let places: Vec<usize> = curves.iter().map(|it| it.place).collect();
        let mean = |value: &dyn Fn(&Curves) -> f64| {
            let mut values = vec![f64::NAN; self.test.images.len()];
            curves.iter().for_each(|it| values[it.place] = value(it));
            mean_over(&self.bootstrap, self.test, &places, &values)
        };
        let count = curves.len() as f64;
        let point = |(at, share): (usize, f64)| {
            let mean = |of: &dyn Fn(&Curves) -> f64| curves.iter().map(of).sum::<f64>() / count;
            DeletionPoint {
                share,
                marked: mean(&|it| if at == 0 { it.whole } else { it.marked[at - 1] }),
                elsewhere: mean(&|it| if at == 0 { it.whole } else { it.elsewhere[at - 1] }),
            }
        };
        let shares = [0.0].into_iter().chain(SHARES).chain([1.0]);
        let gain = mean(&|it| area(it.whole, &it.elsewhere) - area(it.whole, &it.marked));
        Deletion {
            images: curves.len(),
            passes: curves.len() * 2 * SHARES.len() + 1,
            curve: shares.enumerate().map(point).collect(),
            marked_area: mean(&|it| area(it.whole, &it.marked)),
            elsewhere_area: mean(&|it| area(it.whole, &it.elsewhere)),
            is_better: gain.interval.is_some_and(|interval| interval.low > 0.0),
            gain,
        }
    }
}

/// Cells from the most marked to the least; of equal ones the first in order.
fn order(values: &[f32]) -> Vec<usize> {
    let mut cells: Vec<usize> = (0..values.len()).collect();
    cells.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    cells
}

/// How far the control is moved, down and across; never by zero.
fn distance(seed: u64, name: &str, cells: usize) -> (usize, usize) {
    let key = Digest::of_fields([&seed.to_le_bytes()[..], b"elsewhere", name.as_bytes()]);
    let number = key.as_bytes()[..8].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let places = (cells * cells) as u64;
    let moved = if places > 1 { 1 + number % (places - 1) } else { 0 } as usize;
    (moved / cells, moved % cells)
}

/// The area below a curve from nothing deleted to everything, by trapezoids.
fn area(whole: f64, probabilities: &[f64]) -> f64 {
    let shares = SHARES.iter().copied().chain([1.0]);
    let (mut area, mut from, mut before) = (0.0, 0.0, whole);
    for (share, probability) in shares.zip(probabilities) {
        area += (share - from) * (before + probability) / 2.0;
        (from, before) = (share, *probability);
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_that_of_trapezoids() {
        assert!((area(1.0, &[1.0; 6]) - 1.0).abs() < 1e-12);
        let falling = [0.9, 0.8, 0.7, 0.5, 0.25, 0.0];
        assert!((area(1.0, &falling) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_control_is_never_where_the_map_is() {
        for number in 0..200 {
            let (down, across) = distance(17, &number.to_string(), 4);
            assert!((down, across) != (0, 0) && down < 4 && across < 4);
        }
        assert_eq!(distance(17, "a", 1), (0, 0), "a single cell has no elsewhere");
    }
}
