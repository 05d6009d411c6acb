//! Files as somebody else may have damaged them.

use rand::{Rng, RngExt};

/// Mutations of each file; `HOUNSFIELD_MUTATIONS` asks for more (`make fuzz`).
pub(crate) fn mutations() -> u64 {
    std::env::var("HOUNSFIELD_MUTATIONS").map_or(2000, |text| text.parse().unwrap())
}

/// Changes a few bytes, takes some out, repeats some, or cuts the end off. The first `spared` bytes
/// stay, so that what they announce is still read.
pub(crate) fn mutate(bytes: &mut Vec<u8>, spared: usize, random: &mut impl Rng) {
    for _ in 0..random.random_range(1..=4) {
        if bytes.len() <= spared {
            return;
        }
        let at = random.random_range(spared..bytes.len());
        let end = (at + random.random_range(1..12)).min(bytes.len());
        match random.random_range(0..8) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.random_range(0..6)],
            3 => bytes[at..end].fill(0xff),
            4 => bytes[at..end].fill(0),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let piece = bytes[at..end].to_vec();
                let to = random.random_range(spared..=bytes.len());
                drop(bytes.splice(to..to, piece));
            }
            _ => bytes.truncate(at),
        }
    }
}
