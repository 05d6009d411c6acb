//! Splits without a group in two of them.

use std::collections::BTreeMap;

use artifact::Digest;
use config::SplitRatios;
use dataset::{ImageRecord, Split};

use crate::groups::Groups;

/// Splits everything anew: stratified by class, with groups kept whole, keyed by `seed` and the
/// images' contents, so that names and the order of files have no effect.
pub(crate) fn draw(
    images: &[ImageRecord],
    groups: &Groups,
    bound: &[bool],
    ratios: SplitRatios,
    seed: u64,
) -> Vec<Split> {
    let all: Vec<Vec<usize>> = groups.members();
    let mut split_of = vec![Split::Train; images.len()];
    draw_groups(images, all, bound, &shares(ratios, &Split::ALL), seed, &mut split_of);
    split_of
}

/// If a group is in several of the splits that `ingest` drew, draws these splits again, by group:
/// with all of their images, so that each keeps its share of every class. If no group is, all
/// splits stay as `ingest` drew them. Splits of the source are unchanged, because their scores are
/// compared with those of others.
pub(crate) fn keep_groups_whole(
    images: &[ImageRecord],
    groups: &Groups,
    bound: &[bool],
    drawn: &[Split],
    ratios: SplitRatios,
    seed: u64,
) -> Vec<Split> {
    let mut split_of: Vec<Split> = images.iter().map(|image| image.split).collect();
    let movable: Vec<Vec<usize>> = groups
        .members()
        .into_iter()
        .map(|members| {
            members.into_iter().filter(|image| drawn.contains(&split_of[*image])).collect()
        })
        .filter(|members: &Vec<usize>| !members.is_empty())
        .collect();
    let is_whole = |members: &Vec<usize>| {
        let home = split_of[members[0]];
        let is_bound = members.iter().any(|image| bound[*image]);
        members.iter().all(|image| split_of[*image] == home) && (!is_bound || home == Split::Train)
    };
    if !movable.iter().all(is_whole) {
        draw_groups(images, movable, bound, &shares(ratios, drawn), seed, &mut split_of);
    }
    split_of
}

/// The shares of some splits, scaled to add up to 1; splits with a share of 0 are left out.
fn shares(ratios: SplitRatios, splits: &[Split]) -> Vec<(Split, f64)> {
    let all =
        [(Split::Train, ratios.train), (Split::Valid, ratios.valid), (Split::Test, ratios.test)];
    let of: Vec<_> =
        all.into_iter().filter(|(split, share)| splits.contains(split) && *share > 0.0).collect();
    let sum: f64 = of.iter().map(|(_, share)| share).sum();
    of.into_iter().map(|(split, share)| (split, share / sum)).collect()
}

/// Gives each group a split. The largest go first, each to the split that lacks the largest part of
/// its target for the group's classes: the greedy rule of scikit-learn's `StratifiedGroupKFold`,
/// for shares of any size. A group with an image that is `bound` to training goes there.
fn draw_groups(
    images: &[ImageRecord],
    mut groups: Vec<Vec<usize>>,
    bound: &[bool],
    shares: &[(Split, f64)],
    seed: u64,
    split_of: &mut [Split],
) {
    groups.sort_by_cached_key(|members| {
        let first = members.iter().map(|image| images[*image].sha256).min();
        let contents = first.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default();
        let key = Digest::of_fields([seed.to_le_bytes().to_vec(), contents]);
        (std::cmp::Reverse(members.len()), key)
    });
    let all: Vec<usize> = groups.iter().flatten().copied().collect();
    let mut lacking = Lacking::new(images, &all, shares);
    for members in groups {
        let counts = count_classes(images, &members);
        let is_bound = members.iter().any(|image| bound[*image]);
        let split = if is_bound { Split::Train } else { lacking.best_for(&counts, shares) };
        lacking.take(split, &counts);
        for image in members {
            split_of[image] = split;
        }
    }
}

fn count_classes<'a>(images: &'a [ImageRecord], members: &[usize]) -> BTreeMap<&'a str, f64> {
    let mut counts = BTreeMap::new();
    for image in members {
        *counts.entry(images[*image].class.as_str()).or_default() += 1.0;
    }
    counts
}

/// How many images of each class each split still needs, and its target.
struct Lacking<'a> {
    wanted: BTreeMap<(Split, &'a str), f64>,
    missing: BTreeMap<(Split, &'a str), f64>,
}

impl<'a> Lacking<'a> {
    fn new(images: &'a [ImageRecord], all: &[usize], shares: &[(Split, f64)]) -> Self {
        let counts = count_classes(images, all);
        let wanted: BTreeMap<_, _> = shares
            .iter()
            .flat_map(|(split, share)| {
                counts.iter().map(move |(class, count)| ((*split, *class), share * count))
            })
            .collect();
        Self { missing: wanted.clone(), wanted }
    }

    /// The split with the greatest need; the earlier one of equals.
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

    /// Ten images of each of 30 patients, of two classes, split by image.
    fn split_by_image() -> (Vec<ImageRecord>, Groups) {
        let image = |number: usize| {
            let split = [Split::Train, Split::Train, Split::Valid, Split::Test][number % 4];
            image(number, if number < 150 { "a" } else { "b" }, split)
        };
        let pairs = (0..300).filter(|number| number % 10 != 9).map(|number| (number, number + 1));
        ((0..300).map(image).collect(), Groups::of(300, pairs))
    }

    #[test]
    fn splits_that_were_drawn_by_image_are_drawn_anew_by_patient_and_keep_their_shares() {
        let (images, groups) = split_by_image();
        let splits = keep_groups_whole(&images, &groups, &[false; 300], &Split::ALL, RATIOS, 17);
        for members in groups.members() {
            assert!(members.iter().all(|image| splits[*image] == splits[members[0]]));
        }
        for class in ["a", "b"] {
            let count = |split| {
                let pairs = images.iter().zip(&splits);
                pairs.filter(|(image, it)| image.class == class && **it == split).count()
            };
            // Of 150: 105, 22.5 and 22.5 in tens.
            assert!((90..=110).contains(&count(Split::Train)), "{class}");
            assert!((20..=30).contains(&count(Split::Valid)), "{class}");
            assert!((20..=30).contains(&count(Split::Test)), "{class}");
        }
    }

    #[test]
    fn what_was_drawn_stays_where_no_group_is_divided() {
        let (images, _) = split_by_image();
        let alone = Groups::of(300, []);
        let splits = keep_groups_whole(&images, &alone, &[false; 300], &Split::ALL, RATIOS, 17);
        assert!(images.iter().zip(splits).all(|(image, split)| image.split == split));
    }

    #[test]
    fn splits_of_the_source_stay_and_only_the_others_are_drawn_anew() {
        let (images, groups) = split_by_image();
        let drawn = [Split::Train, Split::Valid];
        let splits = keep_groups_whole(&images, &groups, &[false; 300], &drawn, RATIOS, 17);
        for (image, split) in images.iter().zip(&splits) {
            assert_eq!(image.split == Split::Test, *split == Split::Test);
        }
        let valid = splits.iter().filter(|split| **split == Split::Valid).count();
        // Of the 225 outside the test split, 15 of 85.
        assert!((30..=50).contains(&valid), "{valid}");
        let kept = keep_groups_whole(&images, &groups, &[false; 300], &[], RATIOS, 17);
        assert!(images.iter().zip(kept).all(|(image, split)| image.split == split));
    }

    #[test]
    fn one_patient_alone_leaves_nothing_to_score_on_and_nothing_is_divided() {
        let (images, _) = split_by_image();
        let one = Groups::of(300, (0..299).map(|image| (image, image + 1)));
        let splits = keep_groups_whole(&images, &one, &[false; 300], &Split::ALL, RATIOS, 17);
        assert_eq!(splits, [Split::Train; 300]);
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
        let all = keep_groups_whole(&images, &groups, &bound, &drawn, RATIOS, 17);
        assert_eq!(all, [Split::Train; 3]);
        // A test split of the source is unchanged; the correction is too, and counts as a leak.
        let kept = keep_groups_whole(&images, &groups, &bound, &[], RATIOS, 17);
        assert_eq!(kept, [Split::Train, Split::Test, Split::Test]);
        let all_to_test = SplitRatios { train: 0.0, valid: 0.0, test: 1.0 };
        assert_eq!(draw(&images, &groups, &bound, all_to_test, 17), [Split::Train; 3]);
    }
}
