//! The one measurement that gives a class away.

use dataset::ClassIndex;
use imaging::GREY_BINS;
use picture_checks::{Facts, Quantiles};
use rayon::prelude::*;
use serde::Serialize;

use crate::baselines::Baseline;
use crate::features::{FRAME, Feature, GRID};
use crate::picture::LabelledPicture;
use crate::significance::mann_whitney;
use crate::words;

/// A single measurement explains a shortcut from this AUROC on, on pictures that were not learnt
/// from.
const LEAST_AUROC: f64 = 0.75;

/// The mean grey is preferred to a bin of the histogram that tells no more than this beyond it:
/// everyone knows what brighter means.
const SIMPLER: f64 = 0.03;

/// A range is preferred to a threshold that tells this much less.
const RANGE_ADVANTAGE: f64 = 0.05;

/// What the best cell's neighbours tell, as a share of what it tells beyond chance, to be part of
/// the same mark.
const OF_ONE_MARK: f64 = 0.6;

/// A mark covers no more than this share of the frame.
const LARGEST_MARK: f64 = 0.2;

/// The measurement that tells a class from others best.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Giveaway {
    /// What is measured, with its unit.
    pub measure: String,
    /// Where it lies for the class, in validation and test.
    pub class: Quantiles,
    /// Where it lies for the others.
    pub others: Quantiles,
    /// AUROC of this measurement alone on the training images, where it was chosen.
    pub training_auroc: f64,
    /// AUROC of this measurement alone on the validation and test images.
    pub auroc: f64,
    /// What to look at, as a clause: "its pictures are wider: 512 to 1024 pixels against 300 to
    /// 400".
    pub in_words: String,
}

/// The pictures of a class, and those of the classes that it is told from.
pub(crate) struct Sides<'a> {
    class: Vec<&'a Facts>,
    others: Vec<&'a Facts>,
}

/// How a measurement tells the class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Direction {
    /// The class has more.
    Higher,
    /// The class has less.
    Lower,
    /// The class is close to this value; the others are on both sides.
    Around(f32),
}

/// A measurement that tells the class, as chosen on training pictures.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    feature: Feature,
    direction: Direction,
    auroc: f64,
}

/// What is said of a measurement: the pictures' values.
pub(crate) struct Measured {
    pub(crate) feature: Feature,
    pub(crate) direction: Direction,
    pub(crate) class: Values,
    pub(crate) others: Values,
    /// Whether the feature is a cell of a small spot rather than of a whole side.
    pub(crate) is_spot: bool,
}

/// A measurement of several pictures.
pub(crate) struct Values {
    values: Vec<f32>,
    pub(crate) quantiles: Quantiles,
}

impl Values {
    fn of(feature: Feature, pictures: &[&Facts]) -> Option<Self> {
        let values = values(feature, pictures);
        let quantiles = Quantiles::of(values.iter().map(|value| f64::from(*value)))?;
        Some(Self { values, quantiles })
    }

    pub(crate) fn mean(&self) -> f64 {
        self.values.iter().map(|value| f64::from(*value)).sum::<f64>() / self.values.len() as f64
    }

    /// The share of the values from `low` to `high`.
    pub(crate) fn share_within(&self, low: f64, high: f64) -> f64 {
        let within = |value: &&f32| (low..=high).contains(&f64::from(**value));
        self.values.iter().filter(within).count() as f64 / self.values.len() as f64
    }
}

impl<'a> Sides<'a> {
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

    /// How well a feature alone tells the class.
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

/// Finds the measurement of those that `baseline` looks at which tells a class best in training, and
/// says what it tells elsewhere. `None` where that is little.
pub(crate) fn find(
    baseline: Baseline,
    training: &Sides<'_>,
    judged: &Sides<'_>,
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

/// The measurements that can explain what a baseline knows, simplest first.
fn explanations(baseline: Baseline, training: &Sides<'_>) -> Vec<Feature> {
    match baseline {
        Baseline::Metadata => {
            let pictures: Vec<&Facts> =
                training.class.iter().chain(&training.others).copied().collect();
            Feature::metadata(&pictures)
        }
        Baseline::GreyHistogram => {
            let bins = (0..GREY_BINS).map(Feature::GreyShare);
            std::iter::once(Feature::MeanGrey).chain(bins).collect()
        }
        Baseline::Frame => Feature::frame(),
        Baseline::MajorityClass | Baseline::ThumbnailNeighbour | Baseline::ThumbnailForest => {
            Vec::new()
        }
    }
}

/// The candidate that tells most; of equals the first; the mean grey where it tells nearly as much.
fn best(candidates: &[Candidate]) -> Option<&Candidate> {
    let best =
        candidates.iter().reduce(|best, it| if it.auroc > best.auroc { it } else { best })?;
    let mean_grey = candidates.iter().find(|it| it.feature == Feature::MeanGrey);
    Some(mean_grey.filter(|it| it.auroc + SIMPLER >= best.auroc).unwrap_or(best))
}

/// Whether the best is a cell, and those that tell about as much are few.
fn is_spot(best: &Candidate, candidates: &[Candidate]) -> bool {
    let tells = |it: &&Candidate| it.auroc - 0.5 >= OF_ONE_MARK * (best.auroc - 0.5);
    matches!(best.feature, Feature::Cell { .. })
        && candidates.iter().filter(tells).count() as f64 <= LARGEST_MARK * candidates.len() as f64
}

fn values(feature: Feature, pictures: &[&Facts]) -> Vec<f32> {
    pictures.iter().map(|facts| feature.of(facts)).collect()
}

/// Where a cell of the frame is, in words.
pub(crate) fn place(column: usize, row: usize) -> &'static str {
    const CORNER: usize = 2 * FRAME;
    let third = |at: usize| match at {
        at if at < CORNER => 0,
        at if at < GRID - CORNER => 1,
        _ => 2,
    };
    match (third(column), third(row)) {
        (0, 0) => "the upper left corner",
        (2, 0) => "the upper right corner",
        (0, 2) => "the lower left corner",
        (2, 2) => "the lower right corner",
        (_, 0) => "the upper edge",
        (_, 2) => "the lower edge",
        (0, _) => "the left edge",
        _ => "the right edge",
    }
}
