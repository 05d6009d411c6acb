//! Hash tables that bring like directions together, so that nobody compares all with all.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::descriptor::{COEFFICIENTS, Descriptor, dot};

/// Independent tables. An entry has to be found in one of them only.
pub(crate) const TABLES: usize = 8;

/// The longest key.
const MAX_BITS: u32 = 20;

/// Bits of a key that are tried both ways, one at a time: those nearest to their plane.
const SINGLE_FLIPS: usize = 10;

/// Bits of which pairs are tried the other way.
const PAIRED_FLIPS: usize = 5;

/// Planes through the origin, drawn at random but always the same. The same bits for any set of
/// this size.
const SEED: u64 = 0x5ca1_ab1e;

/// Random hyperplane hashing (Charikar 2002) of directions, asked with several probes a table
/// (Lv et al. 2007).
///
/// A bit of a key says on which side of a plane the direction lies: the smaller the angle of two
/// directions, the likelier it is the same. The number of bits grows with the logarithm of the
/// number of entries, so that a bucket holds about as many whatever their number.
pub(crate) struct HashTables {
    planes: Planes,
    tables: Vec<Table>,
}

/// Planes through the origin, as many for each table as its keys have bits.
pub(crate) struct Planes {
    planes: Vec<Descriptor>,
    bits: usize,
}

/// Entries in the order of their keys.
struct Table {
    /// Where each key's entries start, and where the last one's end.
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Planes {
    /// Draws planes for so many entries, of which about `per_bucket` are to share a key.
    pub(crate) fn draw(entries: usize, per_bucket: usize) -> Self {
        let bits = (entries / per_bucket.max(1)).max(2).ilog2().min(MAX_BITS) as usize;
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let plane = |_| std::array::from_fn(|_| StandardNormal.sample(&mut random));
        Self { planes: (0..TABLES * bits).map(plane).collect(), bits }
    }

    /// A direction's key in each table.
    pub(crate) fn keys(&self, direction: &Descriptor) -> [u32; TABLES] {
        std::array::from_fn(|table| bits(&self.distances(table, direction)))
    }

    /// How far a direction is from each plane of a table, and on which side.
    fn distances(&self, table: usize, direction: &Descriptor) -> Vec<f32> {
        let planes = &self.planes[table * self.bits..(table + 1) * self.bits];
        planes.iter().map(|plane| dot(plane, direction)).collect()
    }
}

impl HashTables {
    /// Tables of entries, known by their positions, from the keys of each.
    pub(crate) fn new(planes: Planes, keys: &[[u32; TABLES]]) -> Self {
        let table = |table| Table::new(1 << planes.bits, keys.iter().map(|keys| keys[table]));
        let tables = (0..TABLES).into_par_iter().map(table).collect();
        Self { planes, tables }
    }

    /// Calls `visit` with every entry that shares a key, or nearly, with a direction; with some
    /// several times.
    pub(crate) fn probe(&self, direction: &Descriptor, mut visit: impl FnMut(u32)) {
        for (at, table) in self.tables.iter().enumerate() {
            let distances = self.planes.distances(at, direction);
            let key = bits(&distances);
            let doubtful = doubtful(&distances);
            let mut look = |flips| table.bucket(key ^ flips).iter().for_each(|entry| visit(*entry));
            look(0);
            for (at, bit) in doubtful.iter().enumerate() {
                look(*bit);
                let partners = &doubtful[..if at < PAIRED_FLIPS { at } else { 0 }];
                partners.iter().for_each(|other| look(bit | other));
            }
        }
    }
}

impl Table {
    fn new(keys: usize, of_entries: impl Iterator<Item = u32> + Clone) -> Self {
        let mut starts = vec![0_u32; keys + 1];
        of_entries.clone().for_each(|key| starts[key as usize + 1] += 1);
        for key in 0..keys {
            starts[key + 1] += starts[key];
        }
        let mut next = starts.clone();
        let mut entries = vec![0; starts[keys] as usize];
        for (entry, key) in (0_u32..).zip(of_entries) {
            let place = &mut next[key as usize];
            entries[*place as usize] = entry;
            *place += 1;
        }
        Self { starts, entries }
    }

    fn bucket(&self, key: u32) -> &[u32] {
        let key = key as usize;
        &self.entries[self.starts[key] as usize..self.starts[key + 1] as usize]
    }
}

/// A bit for each sign.
fn bits(distances: &[f32]) -> u32 {
    let signs = distances.iter().enumerate();
    signs.fold(0, |bits, (at, distance)| bits | u32::from(*distance > 0.0) << at)
}

/// The bits that are likeliest to differ in a like direction, as their planes are close: the
/// closest first.
fn doubtful(distances: &[f32]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..distances.len()).collect();
    order.sort_by(|a, b| distances[*a].abs().total_cmp(&distances[*b].abs()));
    order.into_iter().take(SINGLE_FLIPS).map(|bit| 1 << bit).collect()
}

const _: () = assert!(COEFFICIENTS.is_multiple_of(8), "dot products take eight at a time");
