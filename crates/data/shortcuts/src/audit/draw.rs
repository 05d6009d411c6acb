//! Random splits of given sizes.

use std::collections::BTreeMap;

use dataset::{GroupNumber, Split};
use rand_chacha::ChaCha8Rng;

use crate::random::{below, shuffle};

/// How many images of each class each split is to have.
pub(crate) struct Sizes {
    classes: usize,
    /// Split by split, class by class.
    places: Vec<usize>,
}

impl Sizes {
    /// The sizes of a given split.
    pub(crate) fn of(labels: &[usize], splits: &[Split], classes: usize) -> Self {
        let mut places = vec![0; Split::ALL.len() * classes];
        for (label, split) in labels.iter().zip(splits) {
            places[index(*split) * classes + label] += 1;
        }
        Self { classes, places }
    }
}

/// The images of each group, in order.
pub(crate) fn members(groups: impl Iterator<Item = GroupNumber>) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<GroupNumber, Vec<usize>> = BTreeMap::new();
    for (image, group) in groups.enumerate() {
        members.entry(group).or_default().push(image);
    }
    members.into_values().collect()
}

/// Draws a split for each group: a place among those that are left for images of its classes, and
/// the whole group goes there. Large groups draw first, while all places are free. A group that
/// still fits into some splits draws among those. For groups of one image each this is a stratified
/// random split of exactly these sizes; for larger ones the sizes are nearly these.
pub(crate) fn draw(
    labels: &[usize],
    groups: &[Vec<usize>],
    sizes: &Sizes,
    random: &mut ChaCha8Rng,
) -> Vec<Split> {
    let mut order: Vec<&Vec<usize>> = groups.iter().collect();
    shuffle(&mut order, random);
    order.sort_by_key(|members| std::cmp::Reverse(members.len()));
    let mut left = sizes.places.clone();
    let mut splits = vec![Split::Train; labels.len()];
    for members in order {
        let mut counts = vec![0; sizes.classes];
        members.iter().for_each(|image| counts[labels[*image]] += 1);
        let of_split = |split: Split| &left[index(split) * sizes.classes..][..sizes.classes];
        let fits = |split: Split| counts.iter().zip(of_split(split)).all(|(it, left)| it <= left);
        let is_choice = Split::ALL.map(fits);
        let fits_somewhere = is_choice.contains(&true);
        let places = Split::ALL.map(|split| {
            let pairs = counts.iter().zip(of_split(split));
            let places: usize = pairs.map(|(count, left)| count * left).sum();
            if is_choice[index(split)] || !fits_somewhere { places } else { 0 }
        });
        let split = one_of(places, random);
        for (class, count) in counts.into_iter().enumerate() {
            let left = &mut left[index(split) * sizes.classes + class];
            *left = left.saturating_sub(count);
        }
        members.iter().for_each(|image| splits[*image] = split);
    }
    splits
}

fn one_of(places: [usize; 3], random: &mut ChaCha8Rng) -> Split {
    let mut drawn = below(random, places.iter().sum::<usize>().max(1));
    for (split, places) in Split::ALL.into_iter().zip(places) {
        if drawn < places {
            return split;
        }
        drawn -= places;
    }
    // While images are left, places are left; if not, training can take more.
    Split::Train
}

fn index(split: Split) -> usize {
    split as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    fn count(labels: &[usize], splits: &[Split], class: usize, split: Split) -> usize {
        let pairs = labels.iter().zip(splits);
        pairs.filter(|(label, it)| **label == class && **it == split).count()
    }

    #[test]
    fn images_alone_are_split_into_exactly_the_sizes_and_evenly() {
        let labels: Vec<usize> = (0..100).map(|at| usize::from(at < 30)).collect();
        let given: Vec<Split> = (0..100).map(|at| Split::ALL[at % 10 / 4]).collect();
        let sizes = Sizes::of(&labels, &given, 2);
        let alone: Vec<Vec<usize>> = (0..100).map(|at| vec![at]).collect();
        let mut tested = [0; 100];
        for number in 0..200 {
            let drawn = draw(&labels, &alone, &sizes, &mut stream(1, number));
            for split in Split::ALL {
                for class in 0..2 {
                    let expected = count(&labels, &given, class, split);
                    assert_eq!(count(&labels, &drawn, class, split), expected);
                }
            }
            for (image, split) in drawn.iter().enumerate() {
                tested[image] += usize::from(*split == Split::Test);
            }
        }
        // A fifth of 200 each, with a standard deviation of 5.7.
        assert!(tested.iter().all(|times| (18..=64).contains(times)), "{tested:?}");
    }

    #[test]
    fn groups_stay_whole_and_sizes_are_near() {
        let labels: Vec<usize> = (0..600).map(|at| at / 300).collect();
        let given: Vec<Split> = (0..600).map(|at| Split::ALL[at % 5 / 2]).collect();
        let sizes = Sizes::of(&labels, &given, 2);
        // Groups of 1 to 29 images, and one of both classes.
        let groups = members((0..600_u32).map(|at| {
            let at = if at == 599 { 0 } else { at };
            GroupNumber(at.isqrt() * 2 + at / 300)
        }));
        assert!(groups.iter().any(|members| members.len() > 25));
        for number in 0..20 {
            let drawn = draw(&labels, &groups, &sizes, &mut stream(2, number));
            for members in &groups {
                assert!(members.iter().all(|image| drawn[*image] == drawn[members[0]]));
            }
            for split in Split::ALL {
                let [found, expected] =
                    [&drawn, &given].map(|it| it.iter().filter(|it| **it == split).count());
                assert!(found.abs_diff(expected) <= 30, "{split}: {found} for {expected}");
            }
        }
    }
}
