//! Random numbers, keyed by a seed and a stream, never by the order of threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The random numbers of a seed and a stream.
pub(crate) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

/// A number below `end`, from the highest bits of a product: the bias is below 2⁻³² for any number
/// of images that fits memory.
pub(crate) fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    ((u128::from(random.next_u64()) * end as u128) >> 64) as usize
}

/// Puts values into a random order (Fisher and Yates).
pub(crate) fn shuffle<T>(values: &mut [T], random: &mut ChaCha8Rng) {
    for at in 0..values.len() {
        let further = below(random, values.len() - at);
        values.swap(at, at + further);
    }
}
