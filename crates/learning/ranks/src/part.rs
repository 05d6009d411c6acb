use std::ops::Range;

/// The part of `length` things that process `rank` of `count` has. Parts are next to each other, in
/// the order of the ranks, and differ by one thing at most: the first ones are the longer ones.
pub fn part(length: usize, rank: usize, count: usize) -> Range<usize> {
    let (each, longer) = (length / count, length % count);
    let start = rank * each + rank.min(longer);
    start..start + each + usize::from(rank < longer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_once_and_differ_by_one_at_most() {
        for (length, count) in [(32, 1), (32, 2), (32, 3), (5, 4), (2, 4), (0, 3)] {
            let parts: Vec<_> = (0..count).map(|rank| part(length, rank, count)).collect();
            let covered: Vec<usize> = parts.iter().cloned().flatten().collect();
            assert_eq!(covered, (0..length).collect::<Vec<_>>(), "{length} in {count}");
            let lengths: Vec<usize> = parts.iter().map(ExactSizeIterator::len).collect();
            assert!(lengths.is_sorted_by(|a, b| a >= b), "{lengths:?}");
            assert!(lengths[0] - lengths[count - 1] <= 1, "{lengths:?}");
        }
        assert_eq!(part(32, 1, 3), 11..22);
    }
}
