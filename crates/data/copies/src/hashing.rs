//! Hash tables that find similar directions, so that not every pair has to be compared.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::descriptor::{COEFFICIENTS, Descriptor, dot};

/// Independent tables. An entry needs to be found in only one of them.
pub(crate) const TABLES: usize = 8;

/// The longest key.
const MAX_BITS: u32 = 20;

/// Bits of a key that are tried both ways, one at a time: those whose planes are nearest.
const SINGLE_FLIPS: usize = 10;

/// Bits whose pairs are tried the other way.
const PAIRED_FLIPS: usize = 5;

/// Entries of one key that are visited from its start, and again around the entry that asks.
///
/// Only large groups of copies share a key so often. Each copy then meets the same first entries,
/// which joins them all, and its neighbours.
const MOST_FROM_START: usize = 64;

/// Seed of the planes through the origin: they are random, but always the same for a set of this
/// size.
const SEED: u64 = 0x5ca1_ab1e;

/// Random hyperplane hashing (Charikar 2002) of directions, queried with several probes a table (Lv
/// et al. 2007).
///
/// A bit of a key is the side of a plane on which the direction lies: the smaller the angle between
/// two directions, the likelier it is the same. The number of bits grows with the logarithm of the
/// number of entries, so that the size of a bucket hardly changes.
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
    /// The start of each key's entries, and the end of the last one's.
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Planes {
    /// Draws planes for this many entries, of which about `per_bucket` are to share a key.
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

    /// The distance of a direction from each plane of a table, with its side as the sign.
    fn distances(&self, table: usize, direction: &Descriptor) -> Vec<f32> {
        let planes = &self.planes[table * self.bits..(table + 1) * self.bits];
        planes.iter().map(|plane| dot(plane, direction)).collect()
    }
}

impl HashTables {
    /// Tables of entries, given by their positions, from the keys of each.
    pub(crate) fn new(planes: Planes, keys: &[[u32; TABLES]]) -> Self {
        let table = |table| Table::new(1 << planes.bits, keys.iter().map(|keys| keys[table]));
        let tables = (0..TABLES).into_par_iter().map(table).collect();
        Self { planes, tables }
    }

    /// Calls `visit` with the entries that share a key, or nearly, with a direction; with some
    /// several times. If a key has very many entries, only those at the start and those around the
    /// entry `asking` are visited.
    pub(crate) fn probe(&self, direction: &Descriptor, asking: u32, mut visit: impl FnMut(u32)) {
        for (at, table) in self.tables.iter().enumerate() {
            let distances = self.planes.distances(at, direction);
            let key = bits(&distances);
            let doubtful = doubtful(&distances);
            let mut look = |flips| {
                let [first, around] = bounded(table.bucket(key ^ flips), asking);
                first.iter().chain(around).for_each(|entry| visit(*entry));
            };
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

/// All entries of a key; of very many, the first and those around `asking`. They are in order.
fn bounded(bucket: &[u32], asking: u32) -> [&[u32]; 2] {
    if bucket.len() <= 2 * MOST_FROM_START {
        return [bucket, &[]];
    }
    let (first, rest) = bucket.split_at(MOST_FROM_START);
    let place = rest.partition_point(|entry| *entry < asking);
    let start = place.saturating_sub(MOST_FROM_START / 2).min(rest.len() - MOST_FROM_START);
    [first, &rest[start..start + MOST_FROM_START]]
}

/// A bit for each sign.
fn bits(distances: &[f32]) -> u32 {
    let signs = distances.iter().enumerate();
    signs.fold(0, |bits, (at, distance)| bits | u32::from(*distance > 0.0) << at)
}

/// The bits that are likeliest to differ in a similar direction, because their planes are close:
/// the closest first.
fn doubtful(distances: &[f32]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..distances.len()).collect();
    order.sort_by(|a, b| distances[*a].abs().total_cmp(&distances[*b].abs()));
    order.into_iter().take(SINGLE_FLIPS).map(|bit| 1 << bit).collect()
}

const _: () = assert!(COEFFICIENTS.is_multiple_of(8), "dot products take eight at a time");

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(seed: u64) -> Descriptor {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let direction: Descriptor = std::array::from_fn(|_| StandardNormal.sample(&mut random));
        let length = dot(&direction, &direction).sqrt();
        direction.map(|value| value / length)
    }

    fn tables(directions: &[Descriptor]) -> HashTables {
        let planes = Planes::draw(directions.len(), 4);
        let keys: Vec<_> = directions.iter().map(|direction| planes.keys(direction)).collect();
        HashTables::new(planes, &keys)
    }

    fn visited(tables: &HashTables, direction: &Descriptor, asking: u32) -> Vec<u32> {
        let mut visited = Vec::new();
        tables.probe(direction, asking, |entry| visited.push(entry));
        visited
    }

    #[test]
    fn signs_become_bits_and_the_nearest_planes_are_doubted_first() {
        let distances = [0.5, -0.1, 2.0, -3.0];
        assert_eq!(bits(&distances), 0b0101);
        assert_eq!(doubtful(&distances), [0b0010, 0b0001, 0b0100, 0b1000]);
    }

    #[test]
    fn a_table_has_each_key_s_entries_in_order() {
        let table = Table::new(4, [2, 0, 2, 3].into_iter());
        assert_eq!([0, 1, 2, 3].map(|key| table.bucket(key)), [&[1][..], &[], &[0, 2], &[3]]);
    }

    #[test]
    fn like_directions_are_met_and_few_others() {
        // with ten bits of a key tried both ways, short keys meet nearly all
        let directions: Vec<Descriptor> = (0..40_000).map(direction).collect();
        let tables = tables(&directions);
        let (mut found, mut others) = (0, 0);
        for (at, like) in (0..200).zip(&directions) {
            // an angle of 27°: cosine 0.89
            let noise = direction(90_000 + u64::from(at));
            let turned: Descriptor = std::array::from_fn(|i| like[i] + 0.5 * noise[i]);
            let mut met = visited(&tables, &turned, at);
            met.sort_unstable();
            met.dedup();
            found += usize::from(met.contains(&at));
            others += met.len();
        }
        assert!(found >= 190, "{found}");
        assert!(others < 200 * 40_000 / 20, "{others}");
    }

    #[test]
    fn a_crowd_is_met_by_its_first_and_by_its_neighbours_only() {
        let crowd = vec![direction(1); 50_000];
        let met = visited(&tables(&crowd), &crowd[0], 30_000);
        assert_eq!(met.len(), TABLES * 2 * MOST_FROM_START);
        assert_eq!(met[..2], [0, 1]);
        assert!(met[MOST_FROM_START..2 * MOST_FROM_START].contains(&30_000));
    }

    #[test]
    fn the_neighbours_of_the_last_of_a_crowd_end_with_it() {
        let bucket: Vec<u32> = (0..1_000).collect();
        for asking in [0, 500, 999, 5_000] {
            let [first, around] = bounded(&bucket, asking);
            assert_eq!((first.len(), around.len()), (MOST_FROM_START, MOST_FROM_START));
            assert_eq!(first[0], 0);
        }
        assert_eq!(bounded(&bucket, 5_000)[1].last(), Some(&999));
        assert_eq!(bounded(&bucket[..9], 3), [&bucket[..9], &[]]);
    }
}
