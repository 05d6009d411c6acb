//! A split's effect on a score is found when there is one, with its true size, and not otherwise.

use dataset::{AuditAmong, BaselineAudit, ClassIndices, Split};
use image::GrayImage;
use rayon::prelude::*;

use crate::noise;
use crate::set::{Item, Set, split_of};

const SCANS: usize = 400;
const SLICES: usize = 3;

/// Scans of three similar slices; nothing shows which class a scan is of. The split keeps scans
/// whole, three in five for training. `group` is the known group of a slice.
fn scans(group: impl Fn(usize, usize) -> Option<u32>) -> Set {
    let slice = |scan, slice| {
        let picture = noise::near_copy(scan, slice);
        let item = Item::new(&picture, noise::class_of(scan, 2), split_of(scan));
        Item { group: group(scan, slice), ..item }
    };
    let items = (0..SCANS).flat_map(|scan| (0..SLICES).map(move |at| (scan, at)));
    let items = items.map(|(scan, at)| slice(scan, at)).collect();
    Set { names: ClassIndices::of_names(["a", "b"]), items }
}

fn neighbour(among: &AuditAmong) -> &BaselineAudit {
    among.baselines.iter().find(|it| it.baseline == "thumbnail_neighbour").unwrap()
}

/// A slice's nearest neighbour is one of its two other slices if one is in training, with
/// probability 0.6 each; otherwise the guess is random.
const UNDER_RANDOM_SPLITS: f64 = 1.0 - 0.4 * 0.4 / 2.0;

#[test]
fn what_a_random_split_adds_is_recovered_where_groups_are_known() {
    let audit = scans(|scan, _| Some(scan as u32)).audit(&[], 1);
    assert_eq!((audit.images, audit.of, audit.draws, audit.among.len()), (1_200, 1_200, 20, 1));
    let among = &audit.among[0];
    assert_eq!((among.training_images, among.test_images, among.groups), (720, 240, 400));
    let found = neighbour(among);
    assert!((found.random.mean - UNDER_RANDOM_SPLITS).abs() < 0.02, "{found:?}");
    // Random guesses for 80 scans: 0.5 with a standard deviation of 0.056; the mean of 20 draws is
    // nearer.
    assert!((found.given - 0.5).abs() < 0.17, "{found:?}");
    assert!((found.grouped.mean - 0.5).abs() < 0.06, "{found:?}");
    let planted = UNDER_RANDOM_SPLITS - found.given;
    let random = found.random_flatters_by;
    assert!(random.is_shown && (random.value - planted).abs() < 0.02, "{found:?}");
    assert!(!found.grouped_flatters_by.is_shown, "{found:?}");
    let told = format!("A random split would flatter by {:.2}; one that keeps", random.value);
    assert!(among.in_words.contains(&told), "{}", among.in_words);
}

#[test]
fn groups_that_nobody_knows_of_show_as_well() {
    let audit = scans(|_, _| None).audit(&[], 1);
    let found = neighbour(&audit.among[0]);
    assert!((found.grouped.mean - UNDER_RANDOM_SPLITS).abs() < 0.02, "{found:?}");
    assert!(found.grouped_flatters_by.is_shown && found.random_flatters_by.is_shown);
    assert!(
        audit.among[0].in_words.contains("even where the groups that are known are kept whole")
    );
}

/// Pictures without groups, with a split drawn at random.
fn alone(classes: usize, picture: impl Fn(usize) -> GrayImage + Sync) -> Set {
    let item = |number| {
        let class = noise::class_of(number, classes);
        let split = split_of(noise::class_of(number + 500_000, 5));
        Item::new(&picture(number), class, split)
    };
    let names = ["a", "b", "c"];
    Set {
        names: ClassIndices::of_names(names[..classes].iter().copied()),
        items: (0..600).into_par_iter().map(item).collect(),
    }
}

#[test]
fn a_split_that_was_drawn_at_random_is_not_accused() {
    let noise = alone(2, noise::picture);
    // Classes that differ in brightness: always right, whatever the split.
    let bright = alone(2, |number| {
        let mut picture = noise::picture(number);
        let add = 40 * noise::class_of(number, 2) as u8;
        picture.pixels_mut().for_each(|pixel| pixel.0[0] += add);
        picture
    });
    for seed in 1..=3 {
        for set in [&noise, &bright] {
            let among = &set.audit(&[], seed).among[0];
            for found in &among.baselines {
                let shown = [found.grouped_flatters_by, found.random_flatters_by];
                assert!(shown.iter().all(|it| !it.is_shown), "{found:?}");
            }
            assert!(among.in_words.ends_with("about as hard as a random one."), "{among:?}");
        }
    }
}

#[test]
fn a_split_with_copies_on_both_sides_is_said_to_flatter() {
    // Each test picture is a copy of a training picture, and there are no other copies.
    let mut set = alone(2, noise::picture);
    let training: Vec<usize> = (0..600).filter(|at| set.items[*at].split == Split::Train).collect();
    let tested: Vec<usize> = (0..600).filter(|at| set.items[*at].split == Split::Test).collect();
    for (test, copied) in tested.iter().zip(&training) {
        let picture = noise::near_copy(*copied, 3);
        set.items[*test] = Item::new(&picture, set.items[*copied].class, Split::Test);
    }
    let among = &set.audit(&[], 1).among[0];
    let found = neighbour(among);
    assert_eq!(found.given, 1.0);
    assert!(
        found.random_flatters_by.is_shown && found.random_flatters_by.value < -0.2,
        "{found:?}"
    );
    assert!(among.in_words.contains("The split as it is flatters by 0."), "{}", among.in_words);
}

#[test]
fn positive_classes_are_audited_among_themselves() {
    let set = alone(3, noise::picture);
    let audit = set.audit(&[2, 0], 1);
    let [all, among] = &audit.among[..] else { panic!("{audit:?}") };
    assert!(all.is_every_class && !among.is_every_class);
    assert_eq!(among.classes, ["a", "c"]);
    let count = |split| set.items.iter().filter(|it| it.class != 1 && it.split == split).count();
    let expected = (count(Split::Train), count(Split::Test));
    assert_eq!((among.training_images, among.test_images), expected);
    assert!(among.in_words.starts_with("Among a and c, a classifier that sees only"));
    // One positive class, or all classes, is not a different question.
    assert_eq!(set.audit(&[1], 1).among.len(), 1);
    assert_eq!(set.audit(&[0, 1, 2], 1).among.len(), 1);
}

#[test]
fn threads_do_not_show_and_what_cannot_be_scored_is_left_out() {
    let set = scans(|scan, _| Some(scan as u32));
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| set.audit(&[], 3))
    };
    assert_eq!(with(1), with(3));
    assert_ne!(with(1), set.audit(&[], 4));
    let mut untested = alone(2, noise::picture);
    untested.items.retain(|item| item.split != Split::Test);
    assert!(untested.audit(&[], 1).among.is_empty());
}
