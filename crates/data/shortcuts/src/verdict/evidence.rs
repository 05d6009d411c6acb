//! Makes the verdict.

use std::collections::BTreeMap;

use dataset::{ClassIndex, ClassIndices, GroupNumber};

use crate::baseline::Baseline;
use crate::baselines::Prediction;
use crate::giveaway::search::{self, ClassContrast};
use crate::picture::LabelledPicture;
use crate::scores::pairs;
use crate::significance::mann_whitney;
use crate::verdict::{PAIR_AUROC_LIMIT, PairVerdict, SIGNIFICANCE, Shortcut, Verdict};
use crate::words;

/// The data for a verdict.
pub(crate) struct Evidence<'a> {
    pub(crate) names: &'a ClassIndices,
    pub(crate) training: Vec<&'a LabelledPicture<'a>>,
    /// The pictures to judge by, each with its row in the predictions.
    pub(crate) judged: Vec<(usize, &'a LabelledPicture<'a>)>,
    pub(crate) copies_left_out: usize,
    pub(crate) predictions: &'a [Prediction],
}

/// A pair of classes that a baseline distinguishes.
struct ToldApart {
    classes: [ClassIndex; 2],
    auroc: f64,
}

/// A class and those that a baseline distinguishes it from.
struct Star {
    class: ClassIndex,
    others: Vec<ClassIndex>,
    lowest_auroc: f64,
}

impl Evidence<'_> {
    /// Judges every pair of classes by every baseline.
    pub(crate) fn verdict(&self) -> Verdict {
        let judging: Vec<&Prediction> =
            self.predictions.iter().filter(|it| Baseline::JUDGING.contains(&it.baseline)).collect();
        let tests = judging.len() * pairs(self.names.len()).count();
        let mut verdicts = Vec::new();
        let mut shortcuts = Vec::new();
        for prediction in judging {
            let of_baseline: Vec<([ClassIndex; 2], PairVerdict)> = pairs(self.names.len())
                .map(|classes| (classes, self.judge(prediction, classes, tests)))
                .collect();
            let told_apart = of_baseline.iter().filter(|(_, verdict)| verdict.is_told_apart);
            let told_apart = told_apart.filter_map(|(classes, verdict)| {
                Some(ToldApart { classes: *classes, auroc: verdict.auroc? })
            });
            let stars = stars(told_apart.collect());
            shortcuts.extend(stars.iter().map(|it| self.shortcut(prediction.baseline, it)));
            verdicts.extend(of_baseline.into_iter().map(|(_, verdict)| verdict));
        }
        let mut verdict = Verdict {
            images: self.judged.len(),
            copies_left_out: self.copies_left_out,
            auroc_limit: PAIR_AUROC_LIMIT,
            significance: SIGNIFICANCE,
            pairs: verdicts,
            shortcuts,
            in_words: Vec::new(),
        };
        verdict.in_words = words::verdict(&verdict);
        verdict
    }

    fn judge(
        &self,
        prediction: &Prediction,
        classes: [ClassIndex; 2],
        tests: usize,
    ) -> PairVerdict {
        let [first, second] = classes.map(|class| self.scores(prediction, class, classes));
        let found = mann_whitney(&first, &second);
        let p_value = found.map(|found| (found.p_value * tests as f64).min(1.0));
        PairVerdict {
            baseline: prediction.baseline,
            classes: classes.map(|class| self.name(class)),
            groups: [first.len(), second.len()],
            auroc: found.map(|found| found.auroc),
            p_value,
            is_told_apart: found.is_some_and(|found| found.auroc >= PAIR_AUROC_LIMIT)
                && p_value.is_some_and(|p_value| p_value < SIGNIFICANCE),
        }
    }

    /// How much each group of `class` resembles the first class of `pair`, by the mean of its
    /// images.
    fn scores(
        &self,
        prediction: &Prediction,
        class: ClassIndex,
        pair: [ClassIndex; 2],
    ) -> Vec<f64> {
        let rows: Vec<&[f64]> = prediction.rows().collect();
        let mut groups: BTreeMap<GroupNumber, (f64, f64)> = BTreeMap::new();
        for (row, picture) in self.judged.iter().filter(|(_, picture)| picture.class == class) {
            let [first, second] = pair.map(|class| rows[*row][class.0]);
            let both = first + second;
            let (sum, count) = groups.entry(picture.group).or_default();
            *sum += if both > 0.0 { first / both } else { 0.5 };
            *count += 1.0;
        }
        groups.into_values().map(|(sum, count)| sum / count).collect()
    }

    fn shortcut(&self, baseline: Baseline, star: &Star) -> Shortcut {
        let training = ClassContrast::of(self.training.iter().copied(), star.class, &star.others);
        let judged = self.judged.iter().map(|(_, picture)| *picture);
        let judged = ClassContrast::of(judged, star.class, &star.others);
        let giveaway = search::find(baseline, &training, &judged);
        let class = self.name(star.class);
        let others: Vec<String> = star.others.iter().map(|other| self.name(*other)).collect();
        let is_every_other = others.len() + 1 == self.names.len();
        let in_words = words::shortcut(
            baseline,
            &class,
            (!is_every_other || others.len() == 1).then_some(&others),
            star.lowest_auroc,
            giveaway.as_ref(),
        );
        Shortcut { baseline, class, others, lowest_auroc: star.lowest_auroc, giveaway, in_words }
    }

    fn name(&self, class: ClassIndex) -> String {
        self.names.name(class).unwrap_or_default().to_owned()
    }
}

/// Groups pairs around classes, most pairs first, so that few sentences report all: "normal is
/// distinguished from every other class" rather than three pairs.
fn stars(mut told_apart: Vec<ToldApart>) -> Vec<Star> {
    let mut stars = Vec::new();
    while !told_apart.is_empty() {
        let mut degrees: BTreeMap<ClassIndex, (usize, f64)> = BTreeMap::new();
        for pair in &told_apart {
            for class in pair.classes {
                let (pairs, auroc) = degrees.entry(class).or_default();
                *pairs += 1;
                *auroc += pair.auroc;
            }
        }
        // Of several with equally many pairs the one with the best scores; of equals the first.
        let best = degrees.into_iter().reduce(|best, it| {
            let ahead = it.1.0 > best.1.0 || (it.1.0 == best.1.0 && it.1.1 > best.1.1);
            if ahead { it } else { best }
        });
        let Some((class, _)) = best else { break };
        let (of_class, rest): (Vec<_>, Vec<_>) =
            told_apart.into_iter().partition(|pair| pair.classes.contains(&class));
        told_apart = rest;
        let other = |[a, b]: [ClassIndex; 2]| if a == class { b } else { a };
        stars.push(Star {
            class,
            others: of_class.iter().map(|pair| other(pair.classes)).collect(),
            lowest_auroc: of_class.iter().map(|pair| pair.auroc).fold(1.0, f64::min),
        });
    }
    stars
}

#[cfg(test)]
mod tests {
    use dataset::{FittedOn, Split};

    use super::*;
    use crate::picture::tests::facts_of;

    #[test]
    fn groups_count_once_and_chances_are_multiplied_by_the_tests() {
        let facts = facts_of(8, 8, |_, _| 0);
        let picture = |class: usize, group: u32| LabelledPicture {
            facts: &facts,
            class: ClassIndex(class),
            split: Split::Test,
            duplicate_group: None,
            group: GroupNumber(group),
        };
        // Group 0 has two images: 0.9 / 1.0 and 0.2 / 0.4, in the mean 0.7.
        let rows = [
            ((0, 0), [0.9, 0.1, 0.0]),
            ((0, 0), [0.2, 0.2, 0.6]),
            ((0, 1), [0.6, 0.4, 0.0]),
            ((1, 2), [0.5, 0.3, 0.2]),
            ((1, 3), [0.1, 0.8, 0.1]),
            ((2, 4), [0.0, 0.0, 1.0]),
        ];
        let pictures: Vec<_> =
            rows.iter().map(|((class, group), _)| picture(*class, *group)).collect();
        let prediction = Prediction {
            baseline: Baseline::METADATA,
            fitted_on: FittedOn::all(9),
            remark: None,
            classes: 3,
            probabilities: rows.iter().flat_map(|(_, row)| *row).collect(),
        };
        let predictions = [prediction];
        let evidence = Evidence {
            names: &ClassIndices::of_names(["a", "b", "c"]),
            training: Vec::new(),
            judged: pictures.iter().enumerate().collect(),
            copies_left_out: 0,
            predictions: &predictions,
        };
        let near = |found: Vec<f64>, expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            let is_near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(found.iter().zip(expected).all(is_near), "{found:?}");
        };
        let pair = [ClassIndex(0), ClassIndex(1)];
        near(evidence.scores(&predictions[0], ClassIndex(0), pair), &[0.7, 0.6]);
        near(evidence.scores(&predictions[0], ClassIndex(1), pair), &[0.625, 1.0 / 9.0]);
        // Of neither class: both are equally likely.
        near(evidence.scores(&predictions[0], ClassIndex(2), pair), &[0.5]);

        let verdict = evidence.verdict();
        let pair = &verdict.pairs[0];
        // 0.7 is above both; 0.6 above one of two. One baseline and three pairs: three tests.
        assert_eq!((pair.groups, pair.auroc), ([2, 2], Some(0.75)));
        let chance = mann_whitney(&[0.7, 0.6], &[0.625, 1.0 / 9.0]).unwrap().p_value;
        assert_eq!(pair.p_value, Some((3.0 * chance).min(1.0)));
        assert!(!pair.is_told_apart && verdict.shortcuts.is_empty());
    }

    fn told(a: usize, b: usize, auroc: f64) -> ToldApart {
        ToldApart { classes: [ClassIndex(a), ClassIndex(b)], auroc }
    }

    #[test]
    fn pairs_are_gathered_around_the_class_that_they_share() {
        let found =
            stars(vec![told(0, 2, 0.99), told(1, 2, 0.97), told(2, 3, 0.98), told(0, 1, 0.9)]);
        let shown: Vec<_> = found
            .iter()
            .map(|it| (it.class.0, it.others.iter().map(|other| other.0).collect::<Vec<_>>()))
            .collect();
        assert_eq!(shown, [(2, vec![0, 1, 3]), (0, vec![1])]);
        assert_eq!(found[0].lowest_auroc, 0.97);
    }

    #[test]
    fn of_a_triangle_the_class_told_best_comes_first() {
        let found = stars(vec![told(0, 1, 0.85), told(0, 2, 0.95), told(1, 2, 0.99)]);
        assert_eq!(found[0].class, ClassIndex(2));
        assert_eq!((found.len(), found[1].class), (2, ClassIndex(0)));
    }
}
