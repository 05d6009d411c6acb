//! A bounded training set.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Baselines are fitted on no more than about this many images. More changes what they score
/// little, and the nearest neighbour is looked for among all of them.
pub const MOST_TRAINING_IMAGES: usize = 2_000;

/// A class that is rare keeps at least this part of an equal share.
const RARE_CLASS_SHARE: usize = 4;

/// Draws up to `most` of the images whose classes are given, each class in its share, but at least
/// a quarter of an equal share (or all it has): positions in ascending order. Of fewer images all
/// are taken. The draw from one class depends on the seed and that class alone.
pub(crate) fn stratified(classes: &[usize], count: usize, most: usize, seed: u64) -> Vec<usize> {
    if classes.len() <= most {
        return (0..classes.len()).collect();
    }
    let mut drawn = Vec::with_capacity(most);
    for class in 0..count {
        let mut members: Vec<usize> =
            (0..classes.len()).filter(|position| classes[*position] == class).collect();
        let share = (most * members.len()).div_ceil(classes.len());
        let quota = share.max(most / (RARE_CLASS_SHARE * count)).min(members.len());
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(class as u64);
        shuffle_front(&mut members, quota, &mut random);
        drawn.extend_from_slice(&members[..quota]);
    }
    drawn.sort_unstable();
    drawn
}

/// The first `front` steps of a Fisher-Yates shuffle.
fn shuffle_front(values: &mut [usize], front: usize, random: &mut ChaCha8Rng) {
    for at in 0..front {
        let further = below(random, values.len() - at);
        values.swap(at, at + further);
    }
}

/// A number below `end`. The highest bits of a product: the bias is below 2⁻³² for any number of
/// images that fits memory.
pub(crate) fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    ((u128::from(random.next_u64()) * end as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_images_are_all_taken() {
        assert_eq!(stratified(&[0, 1, 0], 2, 3, 7), [0, 1, 2]);
    }

    #[test]
    fn classes_keep_their_shares_and_rare_ones_a_quarter_of_an_equal_share() {
        let classes: Vec<usize> = (0..10_000).map(|at| usize::from(at % 1_000 == 0)).collect();
        let drawn = stratified(&classes, 2, 200, 1);
        let rare = drawn.iter().filter(|position| classes[**position] == 1).count();
        // 10 of the rare class are all there is; a quarter of an equal share would be 25.
        assert_eq!(rare, 10);
        assert_eq!(drawn.len() - rare, 200);
        assert!(drawn.is_sorted());
        let even: Vec<usize> = (0..10_000).map(|at| at % 4).collect();
        let drawn = stratified(&even, 4, 200, 1);
        let of_each = |class| drawn.iter().filter(|position| even[**position] == class).count();
        assert_eq!([0, 1, 2, 3].map(of_each), [50; 4]);
    }

    #[test]
    fn the_seed_decides_who_is_drawn_and_draws_spread() {
        let classes = vec![0; 1_000];
        let drawn = stratified(&classes, 1, 100, 1);
        assert_eq!(drawn, stratified(&classes, 1, 100, 1));
        assert_ne!(drawn, stratified(&classes, 1, 100, 2));
        let mean = drawn.iter().sum::<usize>() as f64 / 100.0;
        // 499.5 ± 27 expected.
        assert!((400.0..600.0).contains(&mean), "{mean}");
    }
}
