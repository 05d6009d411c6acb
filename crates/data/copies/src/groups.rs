use serde::{Deserialize, Serialize};

/// The number of a group of pictures: its smallest member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupNumber(usize);

impl GroupNumber {
    /// The smallest member's position.
    pub fn smallest_member(self) -> usize {
        self.0
    }
}

/// Joins `count` items, given by their positions, along pairs. `None` for an item that no pair
/// joins to another.
///
/// # Panics
/// When a pair names an item that does not exist.
pub fn groups(
    count: usize,
    pairs: impl IntoIterator<Item = (usize, usize)>,
) -> Vec<Option<GroupNumber>> {
    let mut forest = Forest { parents: (0..count).collect() };
    let mut sizes = vec![0_usize; count];
    for (a, b) in pairs {
        forest.join(a, b);
    }
    let roots: Vec<usize> = (0..count).map(|item| forest.root(item)).collect();
    for root in &roots {
        sizes[*root] += 1;
    }
    roots.into_iter().map(|root| (sizes[root] > 1).then_some(GroupNumber(root))).collect()
}

/// Trees whose roots are their smallest members.
struct Forest {
    parents: Vec<usize>,
}

impl Forest {
    /// The root of an item's tree. Halves the path to it for the next call.
    fn root(&mut self, mut item: usize) -> usize {
        while self.parents[item] != item {
            self.parents[item] = self.parents[self.parents[item]];
            item = self.parents[item];
        }
        item
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, pairs: &[(usize, usize)]) -> Vec<Option<usize>> {
        let numbers = groups(count, pairs.iter().copied());
        numbers.into_iter().map(|number| number.map(GroupNumber::smallest_member)).collect()
    }

    #[test]
    fn a_group_has_the_number_of_its_smallest_member() {
        let pairs = [(5, 3), (3, 1), (6, 4)];
        let expected = [None, Some(1), None, Some(1), Some(4), Some(1), Some(4)];
        assert_eq!(numbers(7, &pairs), expected);
        let backwards: Vec<_> = pairs.iter().rev().map(|(a, b)| (*b, *a)).collect();
        assert_eq!(numbers(7, &backwards), expected);
    }

    #[test]
    fn an_item_alone_or_tied_to_itself_has_no_group() {
        assert_eq!(numbers(2, &[(1, 1)]), [None, None]);
        assert_eq!(numbers(0, &[]), []);
    }

    #[test]
    fn a_long_chain_is_one_group() {
        let pairs: Vec<_> = (1..10_000).rev().map(|item| (item, item - 1)).collect();
        assert!(numbers(10_000, &pairs).iter().all(|number| *number == Some(0)));
    }
}
