//! Splits in which no group stands in two.

use std::collections::BTreeMap;

use artifact::Digest;
use config::SplitRatios;
use dataset::{ImageRecord, Split};

use crate::groups::Groups;

/// Splits everything anew: stratified by class, groups kept whole, keyed by `seed` and the images'
/// contents, so that neither names nor the order of files have a part in it.
///
/// The largest groups go first, each to the split that lacks the largest part of what it is to
/// have of the group's classes: the greedy rule of scikit-learn's `StratifiedGroupKFold`, for
/// shares of any size. A group with an image that is `bound` to training goes there.
pub(crate) fn draw(
    images: &[ImageRecord],
    groups: &Groups,
    bound: &[bool],
    ratios: SplitRatios,
    seed: u64,
) -> Vec<Split> {
    let shares: Vec<(Split, f64)> =
        [(Split::Train, ratios.train), (Split::Valid, ratios.valid), (Split::Test, ratios.test)]
            .into_iter()
            .filter(|(_, share)| *share > 0.0)
            .collect();
    let mut ordered: Vec<Vec<usize>> = groups.members();
    ordered.sort_by_cached_key(|members| {
        let first = members.iter().map(|image| images[*image].sha256).min();
        let contents = first.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default();
        let key = Digest::of_fields([seed.to_le_bytes().to_vec(), contents]);
        (std::cmp::Reverse(members.len()), key)
    });

    let mut lacking = Lacking::new(images, &shares);
    let mut split_of = vec![Split::Train; images.len()];
    for members in ordered {
        let counts = count_classes(images, &members);
        let is_bound = members.iter().any(|image| bound[*image]);
        let split = if is_bound { Split::Train } else { lacking.best_for(&counts, &shares) };
        lacking.take(split, &counts);
        for image in members {
            split_of[image] = split;
        }
    }
    split_of
}

/// Of groups that stand in several splits which `ingest` drew, moves all such images to the split
/// that has most of them (the earlier one, where several have as many). Splits that the source
/// brought stay as they are: their scores are compared with those of others. With an image that is
/// `bound` to training all come there.
pub(crate) fn pull_together(
    images: &[ImageRecord],
    groups: &Groups,
    bound: &[bool],
    drawn: &[Split],
) -> Vec<Split> {
    let mut split_of: Vec<Split> = images.iter().map(|image| image.split).collect();
    for members in groups.members() {
        let is_bound = members.iter().any(|image| bound[*image]);
        let movable: Vec<usize> =
            members.into_iter().filter(|image| drawn.contains(&images[*image].split)).collect();
        let mut counts: BTreeMap<Split, usize> = BTreeMap::new();
        for image in &movable {
            *counts.entry(images[*image].split).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or(0);
        let home = counts.iter().find(|(_, count)| **count == most).map(|(split, _)| *split);
        let home = if is_bound { Some(Split::Train) } else { home };
        for image in movable {
            split_of[image] = home.unwrap_or(split_of[image]);
        }
    }
    split_of
}

fn count_classes<'a>(images: &'a [ImageRecord], members: &[usize]) -> BTreeMap<&'a str, f64> {
    let mut counts = BTreeMap::new();
    for image in members {
        *counts.entry(images[*image].class.as_str()).or_default() += 1.0;
    }
    counts
}

/// How many images of each class each split is still to get, and was to get at first.
struct Lacking<'a> {
    wanted: BTreeMap<(Split, &'a str), f64>,
    missing: BTreeMap<(Split, &'a str), f64>,
}

impl<'a> Lacking<'a> {
    fn new(images: &'a [ImageRecord], shares: &[(Split, f64)]) -> Self {
        let all: Vec<usize> = (0..images.len()).collect();
        let counts = count_classes(images, &all);
        let wanted: BTreeMap<_, _> = shares
            .iter()
            .flat_map(|(split, share)| {
                counts.iter().map(move |(class, count)| ((*split, *class), share * count))
            })
            .collect();
        Self { missing: wanted.clone(), wanted }
    }

    /// The split with the greatest need; the earlier one where several need as much.
    fn best_for(&self, counts: &BTreeMap<&str, f64>, shares: &[(Split, f64)]) -> Split {
        let need = |split: Split| -> f64 {
            counts
                .iter()
                .map(|(class, count)| {
                    let key = (split, *class);
                    count * self.missing[&key] / self.wanted[&key]
                })
                .sum()
        };
        let mut best = (Split::Train, f64::NEG_INFINITY);
        for (split, _) in shares {
            let need = need(*split);
            if need > best.1 {
                best = (*split, need);
            }
        }
        best.0
    }

    fn take(&mut self, split: Split, counts: &BTreeMap<&'a str, f64>) {
        for (class, count) in counts {
            *self.missing.entry((split, class)).or_default() -= count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATIOS: SplitRatios = SplitRatios { train: 0.7, valid: 0.15, test: 0.15 };

    fn image(number: usize, class: &str, split: Split) -> ImageRecord {
        ImageRecord {
            path: format!("{class}/{number}.png"),
            split,
            class: class.into(),
            sha256: Digest::of(&number.to_le_bytes()),
            width: 1,
            height: 1,
        }
    }

    fn images(counts: &[(&str, usize)]) -> Vec<ImageRecord> {
        let classes = counts.iter().flat_map(|(class, count)| std::iter::repeat_n(*class, *count));
        classes.enumerate().map(|(number, class)| image(number, class, Split::Train)).collect()
    }

    #[test]
    fn a_draw_is_stratified_and_has_the_shares_asked_for() {
        let images = images(&[("a", 200), ("b", 60)]);
        let splits = draw(&images, &Groups::of(260, []), &[false; 260], RATIOS, 17);
        let count = |class: &str, split| {
            let pairs = images.iter().zip(&splits);
            pairs.filter(|(image, it)| image.class == class && **it == split).count()
        };
        assert_eq!(
            [count("a", Split::Train), count("a", Split::Valid), count("a", Split::Test)],
            [140, 30, 30]
        );
        assert_eq!(
            [count("b", Split::Train), count("b", Split::Valid), count("b", Split::Test)],
            [42, 9, 9]
        );
    }

    #[test]
    fn groups_stay_whole_and_shares_are_still_near() {
        let images = images(&[("a", 300), ("b", 300)]);
        // Groups of ten, and one of both classes.
        let pairs = (0..600).filter(|i| i % 10 != 9).map(|i| (i, i + 1)).chain([(5, 595)]);
        let groups = Groups::of(600, pairs);
        let splits = draw(&images, &groups, &vec![false; images.len()], RATIOS, 17);
        for members in groups.members() {
            assert!(members.iter().all(|image| splits[*image] == splits[members[0]]));
        }
        let test = splits.iter().filter(|split| **split == Split::Test).count();
        assert!((80..=100).contains(&test), "{test} of 600 test images");
    }

    #[test]
    fn another_seed_draws_another_split_and_the_order_of_files_does_not_matter() {
        let images = images(&[("a", 100)]);
        let alone = Groups::of(100, []);
        let splits = draw(&images, &alone, &[false; 100], RATIOS, 17);
        assert_ne!(splits, draw(&images, &alone, &[false; 100], RATIOS, 18));
        let reversed: Vec<_> = images.iter().rev().cloned().collect();
        let mut turned = draw(&reversed, &alone, &[false; 100], RATIOS, 17);
        turned.reverse();
        assert_eq!(splits, turned);
    }

    #[test]
    fn a_split_without_a_share_gets_nothing() {
        let images = images(&[("a", 10)]);
        let ratios = SplitRatios { train: 0.8, valid: 0.0, test: 0.2 };
        let splits = draw(&images, &Groups::of(10, []), &[false; 10], ratios, 17);
        assert!(splits.iter().all(|split| *split != Split::Valid));
        assert_eq!(splits.iter().filter(|split| **split == Split::Test).count(), 2);
    }

    #[test]
    fn drawn_splits_are_pulled_together_and_those_of_the_source_stay() {
        let images = vec![
            image(0, "a", Split::Train),
            image(1, "a", Split::Valid),
            image(2, "a", Split::Valid),
            image(3, "a", Split::Test),
        ];
        let groups = Groups::of(4, [(0, 1), (1, 2), (2, 3)]);
        let splits = pull_together(&images, &groups, &[false; 4], &[Split::Train, Split::Valid]);
        assert_eq!(splits, [Split::Valid, Split::Valid, Split::Valid, Split::Test]);
        assert_eq!(
            pull_together(&images, &groups, &[false; 4], &[]),
            [Split::Train, Split::Valid, Split::Valid, Split::Test]
        );
    }

    #[test]
    fn a_correction_and_its_copies_stay_in_training() {
        let images = vec![
            image(0, "a", Split::Train),
            image(1, "a", Split::Test),
            image(2, "a", Split::Test),
        ];
        let groups = Groups::of(3, [(0, 1), (1, 2)]);
        let bound = [true, false, false];
        let drawn = [Split::Train, Split::Test];
        assert_eq!(pull_together(&images, &groups, &bound, &drawn), [Split::Train; 3]);
        // A test split that the source brought stays; the correction does too, and counts as a leak.
        let kept = pull_together(&images, &groups, &bound, &[]);
        assert_eq!(kept, [Split::Train, Split::Test, Split::Test]);
        let all_to_test = SplitRatios { train: 0.0, valid: 0.0, test: 1.0 };
        assert_eq!(draw(&images, &groups, &bound, all_to_test, 17), [Split::Train; 3]);
    }
}
