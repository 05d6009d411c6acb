//! Draws images that belong together as one group.

use std::collections::HashMap;
use std::hash::Hash;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Which images belong together: those of one patient, or copies of one picture. A resample
/// contains a group completely or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// The images of each group, in order; groups in the order in which they first appear.
    members: Vec<Vec<usize>>,
    images: usize,
}

/// Some of the images, each any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    images: Vec<usize>,
    times: Vec<u32>,
}

impl Groups {
    /// Groups images by a common key: one key per image, in image order.
    pub fn of<K: Hash + Eq>(keys: impl IntoIterator<Item = K>) -> Self {
        let mut numbers = HashMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        let mut images = 0;
        for key in keys {
            let next = members.len();
            let number = *numbers.entry(key).or_insert(next);
            if number == next {
                members.push(Vec::new());
            }
            members[number].push(images);
            images += 1;
        }
        Self { members, images }
    }

    /// Every image in a group of its own.
    pub fn singletons(images: usize) -> Self {
        Self { members: (0..images).map(|image| vec![image]).collect(), images }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many images there are.
    pub fn images(&self) -> usize {
        self.images
    }

    /// As many groups as there are, drawn with replacement: resample `number` of a `seed` is the
    /// same whatever thread draws it and whatever was drawn before.
    pub(crate) fn resample(&self, seed: u64, number: u64) -> Sample {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number);
        let mut sample =
            Sample { images: Vec::with_capacity(self.images), times: vec![0; self.images] };
        for _ in 0..self.len() {
            for &image in &self.members[random.random_range(0..self.len())] {
                sample.images.push(image);
                sample.times[image] += 1;
            }
        }
        sample
    }
}

impl Sample {
    /// Every image once.
    pub fn everything(images: usize) -> Self {
        Self { images: (0..images).collect(), times: vec![1; images] }
    }

    /// The images, each as often as it was drawn.
    pub fn images(&self) -> &[usize] {
        &self.images
    }

    /// How often each image was drawn, by image.
    pub fn times(&self) -> &[u32] {
        &self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_one_key_form_a_group_wherever_they_stand() {
        let groups = Groups::of(["b", "a", "b", "c", "a"]);
        assert_eq!(groups.members, [vec![0, 2], vec![1, 4], vec![3]]);
        assert_eq!((groups.len(), groups.images()), (3, 5));
        assert_eq!(Groups::singletons(3), Groups::of([7, 8, 9]));
    }

    #[test]
    fn a_group_is_drawn_whole() {
        let groups = Groups::of([0, 0, 0, 1, 2, 2]);
        for number in 0..200 {
            let sample = groups.resample(3, number);
            let times = sample.times();
            assert_eq!((times[0], times[0], times[4]), (times[1], times[2], times[5]));
            assert_eq!(times[0] + times[3] + times[4], 3, "as many draws as groups");
            let mut counted = vec![0; 6];
            sample.images().iter().for_each(|&image| counted[image] += 1);
            assert_eq!(counted, times);
        }
    }

    #[test]
    fn every_group_is_drawn_equally_often() {
        let groups = Groups::singletons(5);
        let mut drawn = [0_u32; 5];
        for number in 0..4_000 {
            let sample = groups.resample(11, number);
            drawn.iter_mut().zip(sample.times()).for_each(|(all, times)| *all += times);
        }
        // 4,000 expected each, with a standard deviation of √(20,000 · 0.2 · 0.8) = 57.
        assert!(drawn.iter().all(|times| times.abs_diff(4_000) < 285), "{drawn:?}");
    }

    #[test]
    fn resamples_differ_by_seed_and_by_number() {
        let groups = Groups::singletons(40);
        assert_eq!(groups.resample(1, 2), groups.resample(1, 2));
        assert_ne!(groups.resample(1, 2), groups.resample(1, 3));
        assert_ne!(groups.resample(1, 2), groups.resample(2, 2));
    }

    #[test]
    fn of_no_groups_nothing_is_drawn() {
        assert_eq!(Groups::singletons(0).resample(1, 0), Sample::everything(0));
    }
}
