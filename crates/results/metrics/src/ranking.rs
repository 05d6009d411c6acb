//! How well a score ranks positive images above the others, for all thresholds.
//!
//! Sorting is done once, when a [`Ranking`] is made. A bootstrap resample has the same images, each
//! a number of times, so every measure also accepts a [`Sample`] and passes over the sorted images
//! once.

use dataset::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::mean_of_defined;
use crate::predictions::{BinaryScore, Predictions};
use crate::resample::Sample;

/// Images in descending order of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking(Vec<Ranked>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Ranked {
    score: f64,
    image: usize,
    positive: bool,
}

/// The rates if the images scored at or above a threshold are called positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocPoint {
    /// Images with at least this score are called positive. `None` at the first point: above every
    /// score, where there are no images.
    pub threshold: Option<f64>,
    /// Of the negative images, the share called positive: 1 − specificity.
    pub false_positive_rate: f64,
    /// Of the positive images, the share called positive: the sensitivity.
    pub true_positive_rate: f64,
}

/// The points of a ROC curve to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RocPoints {
    /// One for every distinct score.
    All,
    /// Only the corners of the curve: the same curve, with fewer points to draw.
    Corners,
}

/// Images called positive at a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Called {
    pub(crate) positives: u64,
    pub(crate) negatives: u64,
}

impl Ranking {
    /// Ranks images by a score; the images are numbered in the order given.
    pub fn new(scores: &[BinaryScore]) -> Self {
        Self::of(scores.iter().copied().enumerate())
    }

    /// Ranks images by the summed probability of the classes in `positive`; images of these classes
    /// are the positive ones. See [`Predictions::against_rest`].
    pub fn against_rest(predictions: &Predictions, positive: &[ClassIndex]) -> Self {
        Self::of(predictions.against_rest(positive).into_iter().enumerate())
    }

    /// Ranks the images of two classes by the probability of the first, and leaves out all others.
    pub fn of_pair(predictions: &Predictions, class: ClassIndex, other: ClassIndex) -> Self {
        let of_either = predictions.rows().enumerate().filter_map(|(image, (actual, row))| {
            let score = *row.get(class.0)?;
            let of_either = actual == class || actual == other;
            of_either.then_some((image, BinaryScore::of_checked(score, actual == class)))
        });
        Self::of(of_either)
    }

    fn of(scores: impl IntoIterator<Item = (usize, BinaryScore)>) -> Self {
        let ranked = |(image, scored): (usize, BinaryScore)| Ranked {
            score: scored.score(),
            image,
            positive: scored.is_positive(),
        };
        let mut ranking: Vec<_> = scores.into_iter().map(ranked).collect();
        ranking.sort_by(|a, b| b.score.total_cmp(&a.score));
        Self(ranking)
    }

    /// The area under the ROC curve: the probability that a positive image scores above a negative
    /// one, with ties counting half (Mann-Whitney). Exact except for one division. `None` without
    /// positive or without negative images, where scikit-learn's `roc_auc_score` gives NaN.
    pub fn auroc(&self) -> Option<f64> {
        auroc(self.steps(|_| 1))
    }

    /// [`Ranking::auroc`] of the images drawn.
    ///
    /// # Panics
    /// When the sample has fewer images than are ranked.
    pub fn auroc_in(&self, sample: &Sample) -> Option<f64> {
        auroc(self.steps(|image| sample.times()[image]))
    }

    /// The average precision: the precision at each distinct score, weighted by the recall gained
    /// there, with no interpolation; scikit-learn's `average_precision_score`. `None` without
    /// positive images, where scikit-learn gives 0; 1 if all are positive. A random order scores
    /// the share of positive images.
    pub fn average_precision(&self) -> Option<f64> {
        average_precision(self.steps(|_| 1))
    }

    /// [`Ranking::average_precision`] of the images drawn.
    ///
    /// # Panics
    /// When the sample has fewer images than are ranked.
    pub fn average_precision_in(&self, sample: &Sample) -> Option<f64> {
        average_precision(self.steps(|image| sample.times()[image]))
    }

    /// The ROC curve from (0, 0) to (1, 1), thresholds descending, as scikit-learn's `roc_curve`.
    /// `None` without positive or without negative images.
    pub fn roc_curve(&self, points: RocPoints) -> Option<Vec<RocPoint>> {
        let mut curve = vec![(None, Called { positives: 0, negatives: 0 })];
        for (threshold, called) in self.called() {
            if points == RocPoints::Corners
                && let [.., (_, before), (_, last)] = curve[..]
                && on_one_line(before, last, called)
            {
                curve.pop();
            }
            curve.push((Some(threshold), called));
        }
        let all = curve.last()?.1;
        let point = |(threshold, called): (Option<f64>, Called)| RocPoint {
            threshold,
            false_positive_rate: called.negatives as f64 / all.negatives as f64,
            true_positive_rate: called.positives as f64 / all.positives as f64,
        };
        let defined = all.positives > 0 && all.negatives > 0;
        defined.then(|| curve.into_iter().map(point).collect())
    }

    /// Every distinct score, descending, with the images that score at least as much.
    pub(crate) fn called(&self) -> impl Iterator<Item = (f64, Called)> {
        let mut called = Called { positives: 0, negatives: 0 };
        self.ties().zip(self.steps(|_| 1)).map(move |(tie, step)| {
            called.positives += step.positives;
            called.negatives += step.negatives;
            (tie[0].score, called)
        })
    }

    /// Images of the same score, in descending order of it. 0 and −0 are the same.
    fn ties(&self) -> impl Iterator<Item = &[Ranked]> {
        self.0.chunk_by(|a, b| a.score == b.score)
    }

    /// The numbers of positive and negative images at each distinct score, if each image counts
    /// `times` times.
    fn steps(&self, times: impl Fn(usize) -> u32) -> impl Iterator<Item = Called> {
        self.ties().map(move |tie| {
            let mut step = Called { positives: 0, negatives: 0 };
            for ranked in tie {
                let times = u64::from(times(ranked.image));
                *if ranked.positive { &mut step.positives } else { &mut step.negatives } += times;
            }
            step
        })
    }
}

/// The mean AUROC of each class against all others; `None` if any of them is undefined, because a
/// class has no images or all images. scikit-learn's `roc_auc_score` with `multi_class="ovr"`.
pub fn auroc_one_vs_rest(predictions: &Predictions) -> Option<f64> {
    mean_of_defined(
        (0..predictions.classes())
            .map(|class| Ranking::against_rest(predictions, &[ClassIndex(class)]).auroc()),
    )
}

/// How well two classes are distinguished, on the images of these two alone: the mean of the AUROC
/// of the first class's probability and that of the second's (Hand and Till 2001; a pair of
/// scikit-learn's `roc_auc_score` with `multi_class="ovo"`). `None` if either has no image.
pub fn auroc_of_pair(predictions: &Predictions, a: ClassIndex, b: ClassIndex) -> Option<f64> {
    mean_of_defined([
        Ranking::of_pair(predictions, a, b).auroc(),
        Ranking::of_pair(predictions, b, a).auroc(),
    ])
}

/// The mean of [`auroc_of_pair`] over all pairs of classes; `None` if any is undefined, and for a
/// single class.
pub fn auroc_one_vs_one(predictions: &Predictions) -> Option<f64> {
    let classes = predictions.classes();
    let pairs = (0..classes).flat_map(|a| (a + 1..classes).map(move |b| (a, b)));
    mean_of_defined(pairs.map(|(a, b)| auroc_of_pair(predictions, ClassIndex(a), ClassIndex(b))))
}

fn auroc(steps: impl Iterator<Item = Called>) -> Option<f64> {
    let (mut positives, mut negatives, mut half_wins) = (0_u64, 0_u64, 0_u128);
    for step in steps {
        // Each of these negatives is below the positives so far, and counts half for those it ties
        // with.
        half_wins += u128::from(step.negatives) * u128::from(2 * positives + step.positives);
        positives += step.positives;
        negatives += step.negatives;
    }
    let pairs = u128::from(positives) * u128::from(negatives);
    (pairs > 0).then(|| half_wins as f64 / (2 * pairs) as f64)
}

fn average_precision(steps: impl Iterator<Item = Called>) -> Option<f64> {
    let (mut positives, mut called, mut sum) = (0_u64, 0_u64, 0.0);
    for step in steps {
        positives += step.positives;
        called += step.positives + step.negatives;
        if step.positives > 0 {
            sum += step.positives as f64 * (positives as f64 / called as f64);
        }
    }
    (positives > 0).then(|| sum / positives as f64)
}

/// Whether the step from `a` to `b` has the same direction as the step from `b` to `c`.
fn on_one_line(a: Called, b: Called, c: Called) -> bool {
    let rise = |from: Called, to: Called| u128::from(to.positives - from.positives);
    let run = |from: Called, to: Called| u128::from(to.negatives - from.negatives);
    rise(a, b) * run(b, c) == rise(b, c) * run(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictions::tests::predictions;
    use crate::resample::Groups;
    use crate::testing::assert_some_close;

    fn ranking(scores: &[(f64, bool)]) -> Ranking {
        let score = |&(score, positive)| BinaryScore::new(score, positive).unwrap();
        Ranking::new(&scores.iter().map(score).collect::<Vec<_>>())
    }

    /// Two positives and three negatives; the positive at 0.5 ties one negative.
    fn fixture() -> Ranking {
        ranking(&[(0.1, false), (0.5, true), (0.9, true), (0.5, false), (0.7, false)])
    }

    /// Sixty scores with many ties, from a small linear generator.
    fn tied() -> Vec<(f64, bool)> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        (0..60).map(|_| (f64::from(next() % 17) / 16.0, next() % 3 == 0)).collect()
    }

    #[test]
    fn auroc_counts_the_pairs_in_order_and_half_of_those_that_tie() {
        // 0.9 beats all 3; 0.5 beats 0.1, ties 0.5, loses to 0.7.
        assert_some_close(fixture().auroc(), 4.5 / 6.0);
    }

    #[test]
    fn average_precision_weighs_precision_by_recall_gained() {
        // Precision 1 of 1 at 0.9, 2 of 4 at 0.5; each is half of the recall.
        assert_some_close(fixture().average_precision(), 0.75);
    }

    #[test]
    fn auroc_agrees_with_counting_every_pair() {
        let scores = tied();
        let (mut half_wins, mut pairs) = (0_u32, 0_u32);
        for (positive, _) in scores.iter().filter(|(_, positive)| *positive) {
            for (negative, _) in scores.iter().filter(|(_, positive)| !positive) {
                half_wins += if positive > negative { 2 } else { u32::from(positive == negative) };
                pairs += 1;
            }
        }
        assert!(pairs > 0);
        let expected = f64::from(half_wins) / f64::from(2 * pairs);
        assert_eq!(ranking(&scores).auroc(), Some(expected));
    }

    #[test]
    fn only_the_order_of_scores_matters() {
        let scores = tied();
        let before = ranking(&scores);
        for map in [|x: f64| x.exp(), |x: f64| x.powi(3) - 7.0, |x: f64| (x / (1.1 - x)).ln_1p()] {
            let mapped: Vec<_> = scores.iter().map(|(score, p)| (map(*score), *p)).collect();
            let after = ranking(&mapped);
            assert_eq!(after.auroc(), before.auroc());
            assert_eq!(after.average_precision(), before.average_precision());
        }
        let reversed: Vec<_> = scores.iter().map(|(score, p)| (-score, *p)).collect();
        assert_some_close(ranking(&reversed).auroc(), 1.0 - before.auroc().unwrap());
    }

    #[test]
    fn a_sample_is_ranked_as_if_its_images_stood_there_as_often() {
        let scores = tied();
        let all = ranking(&scores);
        assert_eq!(all.auroc_in(&Sample::everything(60)), all.auroc());
        for number in 0..20 {
            let sample = Groups::singletons(60).resample(1, number);
            let drawn: Vec<_> = sample.images().iter().map(|&image| scores[image]).collect();
            let drawn = ranking(&drawn);
            assert_eq!(all.auroc_in(&sample), drawn.auroc());
            assert_eq!(all.average_precision_in(&sample), drawn.average_precision());
        }
    }

    #[test]
    fn constant_scores_are_worth_a_coin_and_the_prevalence() {
        let constant = ranking(&[(0.3, true), (0.3, false), (0.3, false), (0.3, false)]);
        assert_eq!(constant.auroc(), Some(0.5));
        assert_eq!(constant.average_precision(), Some(0.25));
        let zeros = ranking(&[(0.0, true), (-0.0, false)]);
        assert_eq!(zeros.auroc(), Some(0.5));
    }

    #[test]
    fn one_kind_of_image_has_no_auroc() {
        let positives = ranking(&[(0.3, true), (0.6, true)]);
        assert_eq!((positives.auroc(), positives.average_precision()), (None, Some(1.0)));
        assert_eq!(positives.roc_curve(RocPoints::All), None);
        let negatives = ranking(&[(0.3, false)]);
        assert_eq!((negatives.auroc(), negatives.average_precision()), (None, None));
        assert_eq!(ranking(&[]).roc_curve(RocPoints::Corners), None);
    }

    #[test]
    fn the_roc_curve_has_a_point_for_each_score_from_corner_to_corner() {
        let curve = fixture().roc_curve(RocPoints::All).unwrap();
        let third = 1.0 / 3.0;
        let point = |threshold, false_positive_rate, true_positive_rate| RocPoint {
            threshold,
            false_positive_rate,
            true_positive_rate,
        };
        let expected = [
            point(None, 0.0, 0.0),
            point(Some(0.9), 0.0, 0.5),
            point(Some(0.7), third, 0.5),
            point(Some(0.5), 2.0 * third, 1.0),
            point(Some(0.1), 1.0, 1.0),
        ];
        assert_eq!(curve, expected);
    }

    #[test]
    fn the_corners_draw_the_same_curve() {
        // Up twice, right three times: two straight lines.
        let perfect =
            ranking(&[(5.0, true), (4.0, true), (3.0, false), (2.0, false), (1.0, false)]);
        let corners: Vec<_> = perfect
            .roc_curve(RocPoints::Corners)
            .unwrap()
            .iter()
            .map(|point| (point.threshold, point.false_positive_rate, point.true_positive_rate))
            .collect();
        assert_eq!(corners, [(None, 0.0, 0.0), (Some(4.0), 0.0, 1.0), (Some(1.0), 1.0, 1.0)]);

        let area = |curve: &[RocPoint]| -> f64 {
            let width =
                |pair: &[RocPoint]| pair[1].false_positive_rate - pair[0].false_positive_rate;
            let height =
                |pair: &[RocPoint]| pair[1].true_positive_rate + pair[0].true_positive_rate;
            curve.windows(2).map(|pair| width(pair) * height(pair) / 2.0).sum()
        };
        let ranking = ranking(&tied());
        let all = ranking.roc_curve(RocPoints::All).unwrap();
        let corners = ranking.roc_curve(RocPoints::Corners).unwrap();
        assert!(corners.len() <= all.len());
        assert_some_close(ranking.auroc(), area(&all));
        assert_some_close(ranking.auroc(), area(&corners));
    }

    #[test]
    fn classes_are_ranked_against_the_rest_and_in_pairs() {
        let three = predictions(&[
            (0, [0.6, 0.3, 0.1]),
            (0, [0.2, 0.5, 0.3]),
            (1, [0.3, 0.4, 0.3]),
            (2, [0.1, 0.1, 0.8]),
        ]);
        // Class 0 scores 0.6 and 0.2 against 0.3 and 0.1; 1 scores 0.4 against 0.3, 0.5, 0.1; 2 is
        // perfect.
        assert_some_close(auroc_one_vs_rest(&three), (0.75 + 2.0 / 3.0 + 1.0) / 3.0);
        // 0 and 1: p₀ is 0.6, 0.2 against 0.3; p₁ is 0.4 against 0.3, 0.5.
        let pair = |a, b| auroc_of_pair(&three, ClassIndex(a), ClassIndex(b));
        assert_some_close(pair(0, 1), 0.5);
        assert_eq!(pair(0, 1), pair(1, 0));
        assert_some_close(pair(0, 2), 1.0);
        assert_some_close(auroc_one_vs_one(&three), (0.5 + 1.0 + 1.0) / 3.0);
    }

    #[test]
    fn a_class_without_images_leaves_the_mean_undefined_and_other_pairs_alone() {
        let absent = predictions(&[(0, [0.6, 0.3, 0.1]), (1, [0.2, 0.5, 0.3])]);
        assert_eq!((auroc_one_vs_rest(&absent), auroc_one_vs_one(&absent)), (None, None));
        assert_eq!(auroc_of_pair(&absent, ClassIndex(0), ClassIndex(1)), Some(1.0));
        assert_eq!(auroc_of_pair(&absent, ClassIndex(0), ClassIndex(2)), None);
        assert_eq!(auroc_of_pair(&absent, ClassIndex(0), ClassIndex(7)), None);
        assert_eq!(auroc_one_vs_one(&predictions(&[(0, [1.0])])), None);
    }
}
