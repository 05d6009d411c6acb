//! How much of a score is the split's doing: the same simple baselines with the split as it is, and
//! with splits that are drawn.
//!
//! A split drawn at random puts slices of one scan, and pictures of one machine, on both sides: what
//! looks alike is then found again, and every score is too good. A baseline that looks at nothing but
//! a thumbnail shows by how much, for it can do nothing else.

mod draw;
mod words;

use dataset::{
    AuditAmong, BaselineAudit, ClassIndex, ClassIndices, DrawnScores, Flattery, Split, SplitAudit,
};
use rayon::prelude::*;

use crate::baseline::{Baseline, View};
use crate::baselines::Lesson;
use crate::features::varying;
use crate::neighbour::Ranked;
use crate::picture::LabelledPicture;
use crate::random;
use crate::rows::Rows;

use draw::{Sizes, draw, members};

/// Splits that are drawn, of each kind.
const DRAWS: usize = 20;

/// Where one more draw lies with 99 %, in standard deviations of these draws around their mean:
/// Student's t of 19 degrees of freedom times √(1 + 1/20).
const ONE_MORE_DRAW: f64 = 2.860_9 * 1.024_7;

/// Differences below this are not worth a word, however sure they are.
const LEAST_DIFFERENCE: f64 = 0.02;

/// More images than these are not audited: every one is compared with every other. Whole groups are
/// drawn from more, and the audit says so.
pub const MOST_AUDITED_IMAGES: usize = 20_000;

/// Numbers of the streams of random numbers: these, and one for each draw from here on.
const STREAM: u64 = 1 << 32;

/// Scores two simple baselines, the nearest neighbour of a thumbnail and a forest on the grey
/// histogram, with the split as it is, with random splits that keep groups whole, and with random
/// splits that do not, all of the same sizes. Once among all classes; and once among those of
/// `positive`, where these are several but not all. The order of the pictures and the seed decide the
/// result.
pub fn audit_split(
    pictures: &[LabelledPicture<'_>],
    names: &ClassIndices,
    positive: &[ClassIndex],
    seed: u64,
) -> SplitAudit {
    let drawn = at_most(MOST_AUDITED_IMAGES, pictures, seed);
    let every: Vec<ClassIndex> = (0..names.len()).map(ClassIndex).collect();
    let mut among = vec![every];
    if (2..names.len()).contains(&positive.len()) {
        let mut positive = positive.to_vec();
        positive.sort_unstable();
        among.push(positive);
    }
    SplitAudit {
        seed,
        draws: DRAWS,
        images: drawn.len(),
        of: pictures.len(),
        among: among
            .into_iter()
            .filter_map(|classes| Audited::of(&drawn, &classes, names.len(), seed)?.audit(names))
            .collect(),
    }
}

/// All of the pictures, or whole groups of them, in their order.
fn at_most<'a>(
    most: usize,
    pictures: &[LabelledPicture<'a>],
    seed: u64,
) -> Vec<LabelledPicture<'a>> {
    if pictures.len() <= most {
        return pictures.to_vec();
    }
    let mut groups = members(pictures.iter().map(|picture| picture.group));
    random::shuffle(&mut groups, &mut random::stream(seed, STREAM));
    let mut drawn: Vec<usize> = Vec::new();
    for members in groups {
        if drawn.len() + members.len() <= most {
            drawn.extend(members);
        }
    }
    drawn.sort_unstable();
    drawn.into_iter().map(|at| pictures[at]).collect()
}

/// The pictures of some classes.
struct Audited<'a> {
    pictures: Vec<LabelledPicture<'a>>,
    labels: Vec<usize>,
    given: Vec<Split>,
    groups: Vec<Vec<usize>>,
    classes: Vec<ClassIndex>,
    /// Of the whole set.
    class_count: usize,
    seed: u64,
}

impl<'a> Audited<'a> {
    /// None where nothing could be learnt or scored: fewer than two classes in training, or no test
    /// images.
    fn of(
        pictures: &[LabelledPicture<'a>],
        classes: &[ClassIndex],
        class_count: usize,
        seed: u64,
    ) -> Option<Self> {
        let is_among = |it: &&LabelledPicture<'_>| classes.contains(&it.class);
        let pictures: Vec<_> = pictures.iter().filter(is_among).copied().collect();
        let given: Vec<Split> = pictures.iter().map(|picture| picture.split).collect();
        let has_training = |class: &&ClassIndex| {
            pictures.iter().any(|it| it.split == Split::Train && it.class == **class)
        };
        if classes.iter().filter(has_training).count() < 2 || !given.contains(&Split::Test) {
            return None;
        }
        Some(Self {
            labels: pictures.iter().map(|picture| picture.class.0).collect(),
            groups: members(pictures.iter().map(|picture| picture.group)),
            given,
            pictures,
            classes: classes.to_vec(),
            class_count,
            seed,
        })
    }

    fn audit(&self, names: &ClassIndices) -> Option<AuditAmong> {
        let sizes = Sizes::of(&self.labels, &self.given, self.class_count);
        let alone: Vec<Vec<usize>> = (0..self.labels.len()).map(|image| vec![image]).collect();
        let draws = |groups: &[Vec<usize>], first: usize| -> Vec<Vec<Split>> {
            let stream = |number| STREAM + 1 + (first + number) as u64;
            let draw = |number| {
                let mut random = random::stream(self.seed, stream(number));
                draw(&self.labels, groups, &sizes, &mut random)
            };
            (0..DRAWS).map(draw).collect()
        };
        let (grouped, random) = (draws(&self.groups, 0), draws(&alone, DRAWS));
        let facts: Vec<_> = self.pictures.iter().map(|picture| picture.facts).collect();
        let ranked = Ranked::of(Rows::of_thumbnails(&facts));
        let baselines = [
            self.baseline(Baseline::THUMBNAIL_NEIGHBOUR, [&grouped, &random], |splits| {
                self.neighbour(&ranked, splits)
            })?,
            self.baseline(Baseline::GREY_HISTOGRAM, [&grouped, &random], |splits| {
                self.histogram(splits)
            })?,
        ];
        let count = |split| self.given.iter().filter(|it| **it == split).count();
        let name = |class: &ClassIndex| names.name(*class).unwrap_or_default().to_owned();
        let mut audit = AuditAmong {
            classes: self.classes.iter().map(name).collect(),
            is_every_class: self.classes.len() == names.len(),
            training_images: count(Split::Train),
            test_images: count(Split::Test),
            groups: self.groups.len(),
            baselines: baselines.into(),
            in_words: String::new(),
        };
        audit.in_words = words::among(&audit);
        Some(audit)
    }

    fn baseline(
        &self,
        baseline: Baseline,
        [grouped, random]: [&Vec<Vec<Split>>; 2],
        score: impl Fn(&[Split]) -> Option<f64> + Sync,
    ) -> Option<BaselineAudit> {
        let given = score(&self.given)?;
        let scores = |splits: &Vec<Vec<Split>>| -> Option<DrawnScores> {
            let scores: Vec<_> = splits.par_iter().map(|splits| score(splits)).collect();
            scores_of(scores.into_iter().flatten().collect())
        };
        let (grouped, random) = (scores(grouped)?, scores(random)?);
        Some(BaselineAudit {
            baseline: baseline.name(),
            looks_at: baseline.looks_at(),
            given,
            grouped_flatters_by: flattery(&grouped, given),
            random_flatters_by: flattery(&random, given),
            grouped,
            random,
        })
    }

    fn neighbour(&self, ranked: &Ranked, splits: &[Split]) -> Option<f64> {
        let known: Vec<bool> = splits.iter().map(|split| *split == Split::Train).collect();
        let test = places(splits, Split::Test);
        let is_right = |image: &&usize| {
            let nearest = ranked.nearest(**image, &known);
            nearest.is_some_and(|nearest| self.labels[nearest] == self.labels[**image])
        };
        share(test.iter().filter(is_right).count(), test.len())
    }

    fn histogram(&self, splits: &[Split]) -> Option<f64> {
        let pictures = |split| -> Vec<&LabelledPicture<'_>> {
            places(splits, split).into_iter().map(|image| &self.pictures[image]).collect()
        };
        let (training, test) = (pictures(Split::Train), pictures(Split::Test));
        let lesson = Lesson::of(self.class_count, &training, self.seed).ok()?;
        let view = View::GreyHistogram;
        let features = varying(view.features(&lesson.pictures), &lesson.pictures);
        if features.is_empty() {
            return None;
        }
        let facts: Vec<_> = test.iter().map(|picture| picture.facts).collect();
        let probabilities = lesson.forest(view, features).probabilities(&facts);
        let rows = probabilities.chunks_exact(self.class_count);
        let right = rows.zip(&test).filter(|(row, picture)| first_highest(row) == picture.class.0);
        share(right.count(), test.len())
    }
}

fn places(splits: &[Split], split: Split) -> Vec<usize> {
    (0..splits.len()).filter(|image| splits[*image] == split).collect()
}

fn share(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

fn first_highest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
}

fn scores_of(draws: Vec<f64>) -> Option<DrawnScores> {
    if draws.len() < 2 {
        return None;
    }
    let count = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / count;
    let squares: f64 = draws.iter().map(|score| (score - mean).powi(2)).sum();
    Some(DrawnScores {
        mean,
        deviation: (squares / (count - 1.0)).sqrt(),
        lowest: draws.iter().copied().fold(f64::INFINITY, f64::min),
        highest: draws.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        draws,
    })
}

fn flattery(drawn: &DrawnScores, given: f64) -> Flattery {
    let value = drawn.mean - given;
    let reach = ONE_MORE_DRAW * drawn.deviation;
    let (low, high) = (value - reach, value + reach);
    let is_shown = value.abs() >= LEAST_DIFFERENCE && (low > 0.0 || high < 0.0);
    Flattery { value, low, high, is_shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_hand_computed() {
        // Mean 0.8, deviation 0.1 of a sample.
        let drawn = scores_of(vec![0.7, 0.8, 0.9]).unwrap();
        assert!((drawn.mean - 0.8).abs() < 1e-12 && (drawn.deviation - 0.1).abs() < 1e-12);
        assert_eq!((drawn.lowest, drawn.highest), (0.7, 0.9));
        let found = flattery(&drawn, 0.4);
        assert!((found.value - 0.4).abs() < 1e-12 && (found.low - 0.106_9).abs() < 1e-3);
        assert!(found.is_shown && !flattery(&drawn, 0.6).is_shown);
        let sure = scores_of(vec![1.0; 3]).unwrap();
        assert!(!flattery(&sure, 0.99).is_shown && flattery(&sure, 0.9).is_shown);
        assert_eq!(scores_of(vec![0.5]), None);
    }
}
