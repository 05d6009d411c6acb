//! Parts that are held out in turn.

use std::collections::BTreeMap;

use artifact::Digest;
use dataset::{ClassIndex, GroupNumber};

/// The fold of each image, from 0: groups stay whole, classes are spread evenly, and the draw
/// depends on the seed and the groups alone.
///
/// Groups are dealt out class by class (by the class of the group's first image), the largest
/// first, each to the fold that has fewest images of the class so far.
pub(crate) fn assign(images: &[(ClassIndex, GroupNumber)], folds: u32, seed: u64) -> Vec<usize> {
    let mut groups: BTreeMap<GroupNumber, (ClassIndex, usize)> = BTreeMap::new();
    for (class, group) in images {
        groups.entry(*group).or_insert((*class, 0)).1 += 1;
    }
    let mut ordered: Vec<_> = groups.into_iter().collect();
    ordered.sort_by_cached_key(|(group, (class, size))| {
        let key = Digest::of_fields([&seed.to_le_bytes()[..], &group.0.to_le_bytes()[..]]);
        (*class, std::cmp::Reverse(*size), key)
    });
    let mut filled: BTreeMap<ClassIndex, Vec<usize>> = BTreeMap::new();
    let mut fold_of = BTreeMap::new();
    for (group, (class, size)) in ordered {
        // Each class begins with another fold, so that what is left over is spread as well.
        let counts = filled.entry(class).or_insert_with(|| vec![0; folds as usize]);
        let start = class.0 % counts.len();
        let turn = |place: usize| (start + place) % folds as usize;
        let fold = (0..counts.len()).map(turn).min_by_key(|fold| counts[*fold]).unwrap_or(0);
        counts[fold] += size;
        fold_of.insert(group, fold);
    }
    images.iter().map(|(_, group)| fold_of[group]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(count: u32) -> Vec<(ClassIndex, GroupNumber)> {
        (0..count).map(|i| (ClassIndex(i as usize % 3), GroupNumber(i))).collect()
    }

    #[test]
    fn folds_are_of_one_size_and_so_are_their_classes() {
        let images = images(150);
        let folds = assign(&images, 5, 17);
        for fold in 0..5 {
            for class in 0..3 {
                let members = images.iter().zip(&folds);
                let count = members.filter(|(it, of)| it.0.0 == class && **of == fold).count();
                assert_eq!(count, 10, "fold {fold}, class {class}");
            }
        }
    }

    #[test]
    fn a_group_is_never_divided() {
        let images: Vec<_> =
            (0..100).map(|i| (ClassIndex(i as usize % 2), GroupNumber(i / 7))).collect();
        let folds = assign(&images, 4, 17);
        for (index, (_, group)) in images.iter().enumerate() {
            let first = images.iter().position(|(_, it)| it == group).unwrap();
            assert_eq!(folds[index], folds[first]);
        }
    }

    #[test]
    fn another_seed_deals_otherwise() {
        let images = images(60);
        assert_eq!(assign(&images, 5, 17), assign(&images, 5, 17));
        assert_ne!(assign(&images, 5, 17), assign(&images, 5, 18));
    }
}
