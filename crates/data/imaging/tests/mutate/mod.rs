//! Damaged files.

use rand::{Rng, RngExt};

/// Mutations of each file; `HOUNSFIELD_MUTATIONS` asks for more (`make fuzz`).
pub(crate) fn mutations() -> u64 {
    std::env::var("HOUNSFIELD_MUTATIONS").map_or(2000, |text| text.parse().unwrap())
}

/// Changes a few bytes, removes some, repeats some, or cuts the end off. The first `spared` bytes
/// stay, so that the format is still recognised.
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

/// Decodes mutations of a file, and returns how many of them `is_read`.
///
/// # Panics
/// When one panics, or the process holds much more memory after all mutations than after the first
/// quarter.
pub(crate) fn count_read(
    name: &str,
    mutated: impl Fn(u64) -> Vec<u8>,
    is_read: impl Fn(&[u8]) -> bool + std::panic::RefUnwindSafe,
) -> u64 {
    // Other tests of the same process also take memory.
    const MOST_GROWTH_BYTES: u64 = 64 << 20;
    let (mut read, mut at_first) = (0, 0);
    let mutations = mutations();
    for seed in 0..mutations {
        if seed == mutations / 4 {
            at_first = resident_bytes();
        }
        let bytes = mutated(seed);
        let ended = std::panic::catch_unwind(|| is_read(&bytes));
        let Ok(is_read) = ended else { panic!("{name}, seed {seed} panics") };
        read += u64::from(is_read);
    }
    let grown = resident_bytes().saturating_sub(at_first);
    assert!(grown < MOST_GROWTH_BYTES, "{name}: {grown} bytes more after {mutations} mutations");
    read
}

/// Memory that this process holds (`proc_pid_statm(5)`).
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * PAGE_BYTES
}
