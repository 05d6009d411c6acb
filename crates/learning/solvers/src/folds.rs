//! Parts of the images that are held out in turn.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use artifact::Digest;
use dataset::GroupNumber;

use crate::{Error, Result};

/// Which images are held out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    of_image: Vec<usize>,
    count: usize,
}

impl Folds {
    /// The fold of each image, from 0.
    pub fn of_images(&self) -> &[usize] {
        &self.of_image
    }

    /// Number of folds: as many as requested, or as the groups allow.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The images outside a fold, and those in it.
    pub fn divide(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.of_image.len()).partition(|image| self.of_image[*image] != fold)
    }
}

/// Assigns images to folds: groups stay whole, classes are spread evenly, and the draw depends only
/// on the seed and the groups.
///
/// Groups are assigned class by class (by the class of the group's first image), the largest first,
/// each to the fold that has fewest images of the class so far. If a class has fewer groups than
/// `folds`, there are fewer folds. Every fold has an image, and leaves every class an image to
/// train on.
///
/// # Errors
/// When the numbers of groups and labels differ, or no two folds are possible.
pub fn assign(labels: &[usize], groups: &[GroupNumber], folds: usize, seed: u64) -> Result<Folds> {
    if groups.len() != labels.len() {
        let (found, expected) = (groups.len(), labels.len());
        return Err(Error::Count { what: "groups", found, expected });
    }
    let dealt = Dealt::of(labels, groups, seed);
    let fewest = dealt.groups_of_class.iter().min_by_key(|(_, groups)| **groups);
    let most = match fewest {
        Some((class, 1)) => return Err(Error::TooFewGroups { class: *class }),
        Some((_, groups)) => folds.min(*groups),
        None => 0,
    };
    let possible = (2..=most).rev().map(|count| Folds { of_image: dealt.to(count), count });
    possible.into_iter().find(|folds| folds.are_whole(labels)).ok_or(Error::NoFolds)
}

impl Folds {
    fn are_whole(&self, labels: &[usize]) -> bool {
        let mut held: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (label, fold) in labels.iter().zip(&self.of_image) {
            held.entry(*label).or_insert_with(|| vec![0; self.count])[*fold] += 1;
        }
        let somewhere_else = |counts: &Vec<usize>| {
            let total: usize = counts.iter().sum();
            counts.iter().all(|count| *count < total)
        };
        let filled = |fold| held.values().any(|counts| counts[fold] > 0);
        held.values().all(somewhere_else) && (0..self.count).all(filled)
    }
}

/// Groups in the order of their assignment.
struct Dealt<'a> {
    groups: &'a [GroupNumber],
    ordered: Vec<(GroupNumber, (usize, usize))>,
    groups_of_class: BTreeMap<usize, usize>,
}

impl<'a> Dealt<'a> {
    fn of(labels: &[usize], groups: &'a [GroupNumber], seed: u64) -> Self {
        let mut sizes: BTreeMap<GroupNumber, (usize, usize)> = BTreeMap::new();
        let mut of_class: BTreeMap<usize, std::collections::BTreeSet<GroupNumber>> =
            BTreeMap::new();
        for (class, group) in labels.iter().zip(groups) {
            sizes.entry(*group).or_insert((*class, 0)).1 += 1;
            of_class.entry(*class).or_default().insert(*group);
        }
        let mut ordered: Vec<_> = sizes.into_iter().collect();
        ordered.sort_by_cached_key(|(group, (class, size))| {
            let key = Digest::of_fields([&seed.to_le_bytes()[..], &group.0.to_le_bytes()[..]]);
            (*class, Reverse(*size), key)
        });
        let groups_of_class = of_class.iter().map(|(class, it)| (*class, it.len())).collect();
        Self { groups, ordered, groups_of_class }
    }

    fn to(&self, folds: usize) -> Vec<usize> {
        let mut filled: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut fold_of = BTreeMap::new();
        for (group, (class, size)) in &self.ordered {
            // Each class begins with another fold, so that the remainders are spread as well.
            let counts = filled.entry(*class).or_insert_with(|| vec![0; folds]);
            let turn = |place: usize| (class + place) % folds;
            let fold = (0..folds).map(turn).min_by_key(|fold| counts[*fold]).unwrap_or(0);
            counts[fold] += size;
            fold_of.insert(*group, fold);
        }
        self.groups.iter().map(|group| fold_of[group]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of three classes in turn, each in a group of its own.
    fn images(count: u32) -> (Vec<usize>, Vec<GroupNumber>) {
        ((0..count).map(|i| i as usize % 3).collect(), (0..count).map(GroupNumber).collect())
    }

    #[test]
    fn folds_are_of_one_size_and_so_are_their_classes() {
        let (labels, groups) = images(150);
        let folds = assign(&labels, &groups, 5, 17).unwrap();
        for fold in 0..5 {
            for class in 0..3 {
                let members = labels.iter().zip(folds.of_images());
                let count = members.filter(|(it, of)| **it == class && **of == fold).count();
                assert_eq!(count, 10, "fold {fold}, class {class}");
            }
        }
    }

    #[test]
    fn a_group_is_never_divided() {
        let labels: Vec<usize> = (0..100).map(|i| i % 2).collect();
        let groups: Vec<_> = (0..100).map(|i| GroupNumber(i / 7)).collect();
        let folds = assign(&labels, &groups, 4, 17).unwrap();
        for (index, group) in groups.iter().enumerate() {
            let first = groups.iter().position(|it| it == group).unwrap();
            assert_eq!(folds.of_images()[index], folds.of_images()[first]);
        }
    }

    #[test]
    fn another_seed_deals_otherwise() {
        let (labels, groups) = images(60);
        let with = |seed| assign(&labels, &groups, 5, seed).unwrap();
        assert_eq!(with(17), with(17));
        assert_ne!(with(17), with(18));
    }

    #[test]
    fn a_class_of_few_groups_gets_fewer_folds_and_they_are_counted() {
        let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
        let groups: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 6, 7, 8].map(GroupNumber).into();
        let folds = assign(&labels, &groups, 5, 1).unwrap();
        assert_eq!(folds.count(), 3);
        for fold in 0..3 {
            let (fitted, held) = folds.divide(fold);
            assert!(!held.is_empty());
            for class in 0..2 {
                assert!(fitted.iter().any(|image| labels[*image] == class), "{fold}, {class}");
            }
        }
    }

    #[test]
    fn a_class_that_cannot_be_left_out_is_named() {
        let groups: Vec<_> = [0, 1, 2, 2].map(GroupNumber).into();
        assert_eq!(assign(&[0, 0, 1, 1], &groups, 5, 1), Err(Error::TooFewGroups { class: 1 }));
        let expected = Error::Count { what: "groups", found: 4, expected: 1 };
        assert_eq!(assign(&[0], &groups, 5, 1), Err(expected));
        assert_eq!(assign(&[0, 0, 1, 1], &groups, 1, 1), Err(Error::TooFewGroups { class: 1 }));
    }

    #[test]
    fn groups_of_mixed_classes_never_take_a_class_out_of_a_training_part() {
        // Class 1 is only in groups 0 and 1, which count as groups of class 0.
        let labels = [0, 1, 0, 1, 0, 0, 2, 2];
        let groups: Vec<_> = [0, 0, 1, 1, 2, 3, 4, 5].map(GroupNumber).into();
        for seed in 0..50 {
            let Ok(folds) = assign(&labels, &groups, 2, seed) else { continue };
            for fold in 0..folds.count() {
                let (fitted, _) = folds.divide(fold);
                assert!((0..3).all(|class| fitted.iter().any(|image| labels[*image] == class)));
            }
        }
    }
}
