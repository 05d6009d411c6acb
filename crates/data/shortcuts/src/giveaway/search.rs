//! Finds the measurement that reveals a class.

use dataset::ClassIndex;
use imaging::GREY_BINS;
use picture_checks::Facts;
use rayon::prelude::*;

use crate::baseline::{Baseline, Learner, View};
use crate::features::Feature;
use crate::giveaway::{Direction, Giveaway, Measured, Values};
use crate::picture::LabelledPicture;
use crate::significance::mann_whitney;
use crate::words;

/// A single measurement explains a shortcut from this AUROC on, on pictures outside of training.
const LEAST_AUROC: f64 = 0.75;

/// The mean grey is preferred to a bin of the histogram whose AUROC is higher by no more than this:
/// everyone understands "brighter".
const SIMPLER: f64 = 0.03;

/// A range is preferred to a threshold only if its AUROC is higher by more than this.
const RANGE_ADVANTAGE: f64 = 0.05;

/// The AUROC above chance of a cell beside the best one, as a share of the best one's, from which
/// on it is part of the same mark.
const OF_ONE_MARK: f64 = 0.6;

/// A mark covers no more than this share of the frame.
const LARGEST_MARK: f64 = 0.2;

/// The pictures of a class, and those of the classes that it is distinguished from.
pub(crate) struct ClassContrast<'a> {
    class: Vec<&'a Facts>,
    others: Vec<&'a Facts>,
}

/// A measurement that distinguishes the class, as chosen on training pictures.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    feature: Feature,
    direction: Direction,
    auroc: f64,
}

impl<'a> ClassContrast<'a> {
    pub(crate) fn of(
        pictures: impl Iterator<Item = &'a LabelledPicture<'a>>,
        class: ClassIndex,
        others: &[ClassIndex],
    ) -> Self {
        let mut sides = Self { class: Vec::new(), others: Vec::new() };
        for picture in pictures {
            if picture.class == class {
                sides.class.push(picture.facts);
            } else if others.contains(&picture.class) {
                sides.others.push(picture.facts);
            }
        }
        sides
    }

    /// How well a feature alone distinguishes the class.
    fn auroc(&self, feature: Feature, direction: Direction) -> Option<f64> {
        let score = |facts: &&Facts| {
            let value = f64::from(feature.of(facts));
            match direction {
                Direction::Higher => value,
                Direction::Lower => -value,
                Direction::Around(middle) => -(value - f64::from(middle)).abs(),
            }
        };
        let class: Vec<f64> = self.class.iter().map(score).collect();
        let others: Vec<f64> = self.others.iter().map(score).collect();
        Some(mann_whitney(&class, &others)?.auroc)
    }

    fn candidate(&self, feature: Feature) -> Option<Candidate> {
        let higher = self.auroc(feature, Direction::Higher)?;
        let (direction, auroc) = if higher >= 0.5 {
            (Direction::Higher, higher)
        } else {
            (Direction::Lower, 1.0 - higher)
        };
        let middle = Values::of(feature, &self.class)?.quantiles.median as f32;
        let around = self.auroc(feature, Direction::Around(middle))?;
        Some(if around > auroc + RANGE_ADVANTAGE {
            Candidate { feature, direction: Direction::Around(middle), auroc: around }
        } else {
            Candidate { feature, direction, auroc }
        })
    }
}

/// Finds the measurement used by `baseline` that distinguishes a class best in training, and scores
/// it on the other pictures. `None` if it scores low there.
pub(crate) fn find(
    baseline: Baseline,
    training: &ClassContrast<'_>,
    judged: &ClassContrast<'_>,
) -> Option<Giveaway> {
    let features = explanations(baseline, training);
    let candidates: Vec<Candidate> =
        features.par_iter().filter_map(|feature| training.candidate(*feature)).collect();
    let best = best(&candidates)?;
    let auroc = judged.auroc(best.feature, best.direction)?;
    if auroc < LEAST_AUROC {
        return None;
    }
    let measured = Measured {
        feature: best.feature,
        direction: best.direction,
        class: Values::of(best.feature, &judged.class)?,
        others: Values::of(best.feature, &judged.others)?,
        is_spot: is_spot(best, &candidates),
    };
    Some(Giveaway {
        measure: words::measure(best.feature),
        class: measured.class.quantiles,
        others: measured.others.quantiles,
        training_auroc: best.auroc,
        auroc,
        in_words: words::giveaway(&measured),
    })
}

/// The measurements that can explain the result of a baseline, simplest first.
fn explanations(baseline: Baseline, training: &ClassContrast<'_>) -> Vec<Feature> {
    let Baseline::Of(view, Learner::Forest) = baseline else { return Vec::new() };
    match view {
        View::Metadata => {
            let pictures: Vec<&Facts> =
                training.class.iter().chain(&training.others).copied().collect();
            Feature::metadata(&pictures)
        }
        View::GreyHistogram => {
            let bins = (0..GREY_BINS).map(Feature::GreyShare);
            std::iter::once(Feature::MeanGrey).chain(bins).collect()
        }
        View::Frame => Feature::frame(),
        View::GreyHistogram256 | View::Together | View::Thumbnail => Vec::new(),
    }
}

/// The candidate with the highest AUROC; of equals the first; the mean grey if it is nearly as
/// good.
fn best(candidates: &[Candidate]) -> Option<&Candidate> {
    let best =
        candidates.iter().reduce(|best, it| if it.auroc > best.auroc { it } else { best })?;
    let mean_grey = candidates.iter().find(|it| it.feature == Feature::MeanGrey);
    Some(mean_grey.filter(|it| it.auroc + SIMPLER >= best.auroc).unwrap_or(best))
}

/// Whether the best is a cell, and few other cells are nearly as good.
fn is_spot(best: &Candidate, candidates: &[Candidate]) -> bool {
    let tells = |it: &&Candidate| it.auroc - 0.5 >= OF_ONE_MARK * (best.auroc - 0.5);
    matches!(best.feature, Feature::Cell { .. })
        && candidates.iter().filter(tells).count() as f64 <= LARGEST_MARK * candidates.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::facts_of;

    /// Pictures of these widths and heights.
    fn sized(sizes: &[(u32, u32)]) -> Vec<Facts> {
        sizes.iter().map(|(width, height)| facts_of(*width, *height, |_, _| 0)).collect()
    }

    /// Pictures of 32×32, in which the grey of one cell of the grid depends on the number.
    fn with_cell(levels: &[u8], lit: impl Fn(u32, u32) -> bool + Copy) -> Vec<Facts> {
        let picture =
            |level: &u8| facts_of(32, 32, |x, y| if lit(x / 2, y / 2) { *level } else { 10 });
        levels.iter().map(picture).collect()
    }

    fn sides<'a>(class: &'a [Facts], others: &'a [Facts]) -> ClassContrast<'a> {
        ClassContrast { class: class.iter().collect(), others: others.iter().collect() }
    }

    #[test]
    fn of_two_measurements_the_one_that_tells_more_is_named() {
        // Two of nine pairs of widths are out of order; every pair of heights is in order.
        let class = sized(&[(50, 30), (60, 31), (40, 32)]);
        let others = sized(&[(30, 20), (45, 20), (42, 21)]);
        let sides = sides(&class, &others);
        let found = find(Baseline::METADATA, &sides, &sides).unwrap();
        assert_eq!((found.measure.as_str(), found.auroc), ("height in pixels", 1.0));
        assert_eq!(found.in_words, "its pictures are higher: 30 to 32 pixels against 20 to 21");
        let width = sides.auroc(Feature::Width, Direction::Higher).unwrap();
        assert!((width - 7.0 / 9.0).abs() < 1e-12, "{width}");
    }

    #[test]
    fn a_class_in_the_middle_is_named_by_its_range() {
        let class = sized(&[(50, 20), (51, 20), (52, 20), (53, 20)]);
        let others = sized(&[(30, 20), (31, 20), (70, 20), (71, 20)]);
        let sides = sides(&class, &others);
        let candidate = sides.candidate(Feature::Width).unwrap();
        assert_eq!((candidate.direction, candidate.auroc), (Direction::Around(51.5), 1.0));
        let words = find(Baseline::METADATA, &sides, &sides).unwrap().in_words;
        assert!(words.starts_with("width in pixels is "), "{words}");
        assert!(words.ends_with(" of its pictures and none of the others"), "{words}");
    }

    #[test]
    fn what_was_chosen_in_training_must_hold_elsewhere() {
        let narrow = sized(&[(20, 20), (21, 20), (22, 20)]);
        let wide = sized(&[(30, 20), (31, 20), (32, 20)]);
        let chosen = sides(&narrow, &wide);
        assert!(find(Baseline::METADATA, &chosen, &chosen).is_some());
        assert_eq!(find(Baseline::METADATA, &chosen, &sides(&wide, &narrow)), None);
        assert_eq!(find(Baseline::METADATA, &chosen, &sides(&[], &wide)), None);
        assert_eq!(find(Baseline::METADATA, &sides(&[], &wide), &chosen), None);
    }

    #[test]
    fn the_mean_grey_is_preferred_to_a_bin_that_tells_no_more() {
        let of_levels = |levels: [u8; 3]| {
            levels.map(|level| facts_of(16, 16, move |x, _| level + (x as u8))).to_vec()
        };
        let (bright, dark) = (of_levels([150, 160, 170]), of_levels([20, 30, 40]));
        let sides = sides(&bright, &dark);
        let found = find(Baseline::GREY_HISTOGRAM, &sides, &sides).unwrap();
        assert_eq!(found.measure, "mean grey, 0 to 255");
        assert!(found.in_words.starts_with("its pictures are brighter: "), "{}", found.in_words);
    }

    #[test]
    fn a_lit_cell_is_a_mark_and_a_lit_side_is_not() {
        let (bright, dark) = ([200, 210, 220], [10, 10, 20]);
        let cell = |x, y| (x, y) == (14, 1);
        let (class, others) = (with_cell(&bright, cell), with_cell(&dark, cell));
        let told = sides(&class, &others);
        let words = find(Baseline::FRAME, &told, &told).unwrap().in_words;
        assert!(words.starts_with("a bright mark in the upper right corner: "), "{words}");
        let told = sides(&others, &class);
        let words = find(Baseline::FRAME, &told, &told).unwrap().in_words;
        assert!(words.starts_with("a dark mark in the upper right corner: "), "{words}");

        let side = |x, _| x < 4;
        let (class, others) = (with_cell(&bright, side), with_cell(&dark, side));
        let told = sides(&class, &others);
        let words = find(Baseline::FRAME, &told, &told).unwrap().in_words;
        assert!(words.starts_with("its pictures are brighter at the upper left corner"), "{words}");
    }

    #[test]
    fn thumbnails_are_never_explained_by_a_measurement() {
        let class = sized(&[(50, 30)]);
        let others = sized(&[(30, 20)]);
        let sides = sides(&class, &others);
        assert_eq!(find(Baseline::Of(View::Thumbnail, Learner::Forest), &sides, &sides), None);
    }
}
