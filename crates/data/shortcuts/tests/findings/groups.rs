//! Copies and slices of one patient do not count as many.

use dataset::{ClassIndices, Split};
use image::{GrayImage, Luma};
use shortcuts::Baseline;

use crate::set::{Item, Set};

/// Two classes that only differ in brightness.
fn bright_and_dark(of_each: usize, split: impl Fn(usize) -> Split) -> Set {
    let picture = |class: usize, number: usize| {
        GrayImage::from_fn(24, 24, |x, y| {
            Luma([(100 * class as u32 + (x * 7 + y * 5 + 11 * number as u32) % 90) as u8])
        })
    };
    let items = (0..2 * of_each)
        .map(|at| Item::new(&picture(at % 2, at / 2), at % 2, split(at / 2)))
        .collect();
    Set { names: ClassIndices::of_names(["bright", "dark"]), items }
}

fn half(number: usize) -> Split {
    if number.is_multiple_of(2) { Split::Train } else { Split::Test }
}

#[test]
fn thirty_slices_of_two_patients_are_two_observations() {
    let mut set = bright_and_dark(60, half);
    let claimed = set.claims(1);
    assert!(claimed.iter().any(|it| it.baseline == Baseline::GREY_HISTOGRAM), "{claimed:?}");
    // The same pictures, now slices of one patient of each class, and of two in training.
    for (at, item) in set.items.iter_mut().enumerate() {
        item.group = Some((at % 4) as u32);
    }
    let verdict = set.findings(1).report.verdict;
    let of_brightness = |pair: &&shortcuts::PairVerdict| pair.baseline == Baseline::GREY_HISTOGRAM;
    let pair = verdict.pairs.iter().find(of_brightness).unwrap();
    assert_eq!((pair.groups, pair.auroc), ([1, 1], Some(1.0)));
    assert_eq!(verdict.shortcuts, []);
}

#[test]
fn copies_of_training_images_are_scored_apart_and_judge_nothing() {
    let mut set = bright_and_dark(40, half);
    let copied: Vec<Item> = set
        .items
        .iter_mut()
        .filter(|item| item.split == Split::Train)
        .take(10)
        .enumerate()
        .map(|(number, item)| {
            let group = Some(number as u32);
            (item.duplicate_group, item.group) = (group, group);
            let facts = item.facts.clone();
            Item { facts, class: item.class, split: Split::Valid, duplicate_group: group, group }
        })
        .collect();
    set.items.extend(copied);
    // Copies of each other without a copy in training stay.
    for item in set.items.iter_mut().filter(|item| item.split == Split::Test).take(2) {
        (item.duplicate_group, item.group) = (Some(100), Some(100));
    }
    let report = set.findings(1).report;
    assert_eq!((report.verdict.copies_left_out, report.verdict.images), (10, 40));
    assert!(report.verdict.in_words[0].contains("(10 more are copies of training images"));
    for baseline in &report.baselines {
        let [valid, test] = &baseline.scores[..] else { panic!("{baseline:?}") };
        assert_eq!(
            (valid.split, valid.all.images, &valid.without_copies),
            (Split::Valid, 10, &None)
        );
        assert_eq!((test.split, test.all.images, &test.without_copies), (Split::Test, 40, &None));
    }
    let is_neighbour =
        |it: &&shortcuts::BaselineReport| it.baseline == Baseline::THUMBNAIL_NEIGHBOUR;
    let neighbour = report.baselines.iter().find(is_neighbour).unwrap();
    assert_eq!(neighbour.scores[0].all.accuracy, 1.0);
}

#[test]
fn a_split_with_some_copies_has_both_scores() {
    let mut set = bright_and_dark(40, half);
    for item in set.items.iter_mut().take(4) {
        item.duplicate_group = Some(7);
    }
    let report = set.findings(1).report;
    // Of the first four two are for testing.
    assert_eq!(report.verdict.copies_left_out, 2);
    for baseline in &report.baselines {
        let scores = &baseline.scores[0];
        assert_eq!(scores.all.images, 40);
        assert_eq!(scores.without_copies.as_ref().map(|scores| scores.images), Some(38));
    }
}
