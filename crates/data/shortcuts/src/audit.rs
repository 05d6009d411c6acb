//! How much of a score is due to the split: the same simple baselines are scored with the given
//! split, and with splits that are drawn.
//!
//! A split drawn at random puts slices of one scan, and pictures of one machine, on both sides.
//! Similar pictures are then found again, and every score is too good. A baseline that only sees a
//! thumbnail shows by how much, because it can do nothing else.

mod draw;
mod words;

use dataset::{
    AuditAmong, BaselineAudit, ClassIndex, ClassIndices, DrawnScores, GroupNumber, ScoreDifference,
    Split, SplitAudit,
};
use rayon::prelude::*;

use crate::baseline::{Baseline, View};
use crate::baselines::BaselineTrainingSet;
use crate::features::varying;
use crate::neighbour::Ranked;
use crate::picture::LabelledPicture;
use crate::random;
use crate::rows::Rows;

use draw::{Sizes, draw, members};

/// Number of splits drawn, of each kind.
const DRAWS: usize = 20;

/// Above this number of images only a part is audited, because every image is compared with every
/// other. Whole groups are drawn for it, and the audit reports this.
pub const MOST_AUDITED_IMAGES: usize = 20_000;

/// Numbers of the streams of random numbers: this one, and one for each draw after it.
const STREAM: u64 = 1 << 32;

/// Scores two simple baselines, the nearest neighbour of a thumbnail and a forest on the grey
/// histogram, with the given split, with random splits that keep groups whole, and with random
/// splits that do not, all of the same sizes. This is done once among all classes; and once among
/// those of `positive`, if these are several but not all. The order of the pictures and the seed
/// decide the result.
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

/// Random splits, class by class of the same sizes as a given split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnSplits {
    /// Splits that keep groups whole; their sizes are nearly the same. A split for each image.
    pub grouped: Vec<Vec<Split>>,
    /// Splits that do not.
    pub random: Vec<Vec<Split>>,
}

impl DrawnSplits {
    /// Draws this many splits of each kind for images with these classes, splits and groups.
    pub fn of(
        labels: &[usize],
        given: &[Split],
        groups: &[GroupNumber],
        classes: usize,
        draws: usize,
        seed: u64,
    ) -> Self {
        let groups = members(groups.iter().copied());
        Self::of_members(labels, given, &groups, classes, draws, seed)
    }

    fn of_members(
        labels: &[usize],
        given: &[Split],
        groups: &[Vec<usize>],
        classes: usize,
        draws: usize,
        seed: u64,
    ) -> Self {
        let sizes = Sizes::of(labels, given, classes);
        let alone: Vec<Vec<usize>> = (0..labels.len()).map(|image| vec![image]).collect();
        let drawn = |groups: &[Vec<usize>], first: usize| -> Vec<Vec<Split>> {
            let stream = |number| STREAM + 1 + (first + number) as u64;
            let draw = |number| {
                let mut random = random::stream(seed, stream(number));
                draw(labels, groups, &sizes, &mut random)
            };
            (0..draws).map(draw).collect()
        };
        Self { grouped: drawn(groups, 0), random: drawn(&alone, draws) }
    }
}

/// The pictures of some classes.
struct Audited<'a> {
    pictures: Vec<LabelledPicture<'a>>,
    labels: Vec<usize>,
    given: Vec<Split>,
    groups: Vec<Vec<usize>>,
    classes: Vec<ClassIndex>,
    /// Number of classes in the whole set.
    class_count: usize,
    seed: u64,
}

impl<'a> Audited<'a> {
    /// None if nothing could be learnt or scored: fewer than two classes in training, or no test
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
        let splits = DrawnSplits::of_members(
            &self.labels,
            &self.given,
            &self.groups,
            self.class_count,
            DRAWS,
            self.seed,
        );
        let DrawnSplits { grouped, random } = splits;
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
            DrawnScores::of(scores.into_iter().flatten().collect())
        };
        let (grouped, random) = (scores(grouped)?, scores(random)?);
        Some(BaselineAudit {
            baseline: baseline.name(),
            looks_at: baseline.looks_at(),
            given,
            grouped_flatters_by: ScoreDifference::of(&grouped, given),
            random_flatters_by: ScoreDifference::of(&random, given),
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
        let lesson = BaselineTrainingSet::of(self.class_count, &training, self.seed).ok()?;
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
