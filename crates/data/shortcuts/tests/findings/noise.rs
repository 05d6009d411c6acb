//! Pictures of noise, each similar only to itself, and copies of them that differ a little.

use image::{GrayImage, Luma};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Small, because there are many of them.
const SIDE: u32 = 16;

fn numbers(seed: u64, stream: u64) -> impl FnMut(u64) -> u8 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    move |below| (random.next_u64() % below) as u8
}

/// A fixed random class for each number, out of this many classes.
pub(crate) fn class_of(number: usize, classes: usize) -> usize {
    usize::from(numbers(77, number as u64)(classes as u64))
}

/// A picture unlike any other.
pub(crate) fn picture(number: usize) -> GrayImage {
    let mut level = numbers(1, number as u64);
    GrayImage::from_fn(SIDE, SIDE, |_, _| Luma([30 + level(180)]))
}

/// A copy of it, each pixel lighter by up to seven levels.
pub(crate) fn near_copy(number: usize, copy: usize) -> GrayImage {
    let mut level = numbers(2 + copy as u64, number as u64);
    let mut picture = picture(number);
    picture.pixels_mut().for_each(|pixel| pixel.0[0] += level(8));
    picture
}
