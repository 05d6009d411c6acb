//! Which images belong together.

use std::collections::BTreeMap;

use dataset::GroupNumber;

/// The images that belong together by any kind of tie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups(Vec<GroupNumber>);

impl Groups {
    /// Joins the pairs, directly or through others. Groups are numbered from 0 in the order of
    /// their first image; every image is in one, most often alone.
    pub(crate) fn of(images: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut parent: Vec<usize> = (0..images).collect();
        for (a, b) in pairs {
            let (a, b) = (root(&mut parent, a), root(&mut parent, b));
            parent[a.max(b)] = a.min(b);
        }
        let mut numbers = BTreeMap::new();
        let number = |image| {
            let next = GroupNumber(numbers.len() as u32);
            *numbers.entry(root(&mut parent, image)).or_insert(next)
        };
        Self((0..images).map(number).collect())
    }

    /// The group of an image.
    pub(crate) fn of_image(&self, image: usize) -> GroupNumber {
        self.0[image]
    }

    /// The images of each group, both in order.
    pub(crate) fn members(&self) -> Vec<Vec<usize>> {
        let count = self.0.iter().map(|group| group.0 + 1).max().unwrap_or(0);
        let mut members = vec![Vec::new(); count as usize];
        for (image, group) in self.0.iter().enumerate() {
            members[group.0 as usize].push(image);
        }
        members
    }
}

fn root(parent: &mut [usize], mut image: usize) -> usize {
    while parent[image] != image {
        parent[image] = parent[parent[image]];
        image = parent[image];
    }
    image
}

/// Pairs that join the images with the same key, in order of the keys.
pub(crate) fn pairs_of_equal<K: Ord>(
    keys: impl IntoIterator<Item = Option<K>>,
) -> Vec<(usize, usize)> {
    let mut images: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (image, key) in keys.into_iter().enumerate() {
        if let Some(key) = key {
            images.entry(key).or_default().push(image);
        }
    }
    images
        .into_values()
        .flat_map(|images| images.windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_join_by_way_of_others_and_groups_count_from_the_first_image() {
        let groups = Groups::of(6, [(4, 5), (1, 3), (5, 1)]);
        assert_eq!(groups.members(), [vec![0], vec![1, 3, 4, 5], vec![2]]);
        assert_eq!(groups.of_image(4), GroupNumber(1));
        assert_eq!(groups, Groups::of(6, [(3, 1), (1, 5), (5, 4)]));
    }

    #[test]
    fn no_images_make_no_groups() {
        assert!(Groups::of(0, []).members().is_empty());
    }

    #[test]
    fn equal_keys_are_tied_and_missing_ones_are_not() {
        let keys = [Some("b"), None, Some("a"), Some("b"), None, Some("b")];
        assert_eq!(pairs_of_equal(keys), [(0, 3), (3, 5)]);
    }
}
