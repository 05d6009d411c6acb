//! Chooses the pairs whose pixels are worth comparing.

use rayon::prelude::*;

use crate::descriptor::{COEFFICIENTS, Describer, Descriptor};
use crate::hashing::{HashTables, Planes};
use crate::likeness::{Deviation, Likeness};
use crate::plane::Plane;
use crate::{Frame, Symmetry};

/// From this score on, pictures are similar enough to be copies.
const COPY_SCORE: f32 = 0.93;

/// Below this score pictures are unrelated. Of 456 pairs of copies and of slices among 944 chest
/// scans none had less than 0.6.
const LEAST_SCORE: f32 = 0.5;

/// Number of others, the likeliest, that one picture is compared with: among 944 chest scans, crops
/// by more than 5 % rank behind as many as twenty neighbouring slices. It is the same for every
/// size of a set, so that a copy found in a small set is also found in a large one.
const CANDIDATES: usize = 40;

/// If more pictures than that may be copies, a picture is compared with this many, which join it to
/// its group.
const COPY_CANDIDATES: usize = 12;

/// Of these, this many are not the likeliest but the first of all: they join the whole group, and
/// not only the most similar ones.
const FIRST_CANDIDATES: usize = 4;

/// Entries of the hash tables that share a key.
const ENTRIES_PER_BUCKET: usize = 4;

/// Scale of the whole numbers in which directions are compared. Products of 120 of them, whose
/// squares add up to 2²⁴, fit into 32 bits.
const UNIT: f32 = 4096.0;

/// Two pictures that look similar: the part of the first within `frame` is the second, once that is
/// turned by `symmetry`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// Position of the picture that shows more.
    pub(crate) whole: usize,
    /// Position of the one that shows less.
    pub(crate) part: usize,
    /// How the second is turned to match the first.
    pub(crate) symmetry: Symmetry,
    /// The rough position of the second in the first.
    pub(crate) frame: Frame,
    /// 1 for equal pictures, about 0 for unrelated ones.
    pub(crate) score: f32,
}

/// Every picture's crops, by their appearance.
struct Catalogue {
    describer: Describer,
    likeness: Likeness,
    descriptors: Vec<Descriptor>,
    orientations: Vec<Symmetry>,
    entries: Vec<Entry>,
    tables: HashTables,
}

/// A direction in whole numbers, and its length.
struct Entry {
    direction: [i16; COEFFICIENTS],
    length: f32,
}

/// Pairs that look similar, each once, by their positions among the planes.
///
/// `plane` is called for every position up to `count`, several times, from several threads.
pub(crate) fn candidates(count: usize, plane: impl Fn(usize) -> Plane + Sync) -> Vec<Candidate> {
    if count < 2 {
        return Vec::new();
    }
    let catalogue = Catalogue::new(count, plane);
    let mut candidates: Vec<Candidate> = (0..count)
        .into_par_iter()
        .map_init(|| vec![0_u32; catalogue.entries.len()], |seen, part| catalogue.like(part, seen))
        .flatten_iter()
        .collect();
    let unordered = |c: &Candidate| (c.whole.min(c.part), c.whole.max(c.part));
    candidates.sort_by(|a, b| {
        unordered(a).cmp(&unordered(b)).then(b.score.total_cmp(&a.score)).then(a.part.cmp(&b.part))
    });
    candidates.dedup_by_key(|candidate| unordered(candidate));
    candidates
}

impl Catalogue {
    fn new(count: usize, plane: impl Fn(usize) -> Plane + Sync) -> Self {
        let describer = Describer::new();
        let descriptors: Vec<Descriptor> =
            (0..count).into_par_iter().map(|at| describer.whole(&plane(at))).collect();
        let (likeness, orientations) = Likeness::learn(&describer, &descriptors);
        let planes = Planes::draw(count * describer.framings(), ENTRIES_PER_BUCKET);
        let (entries, keys): (Vec<Entry>, Vec<_>) = (0..count)
            .into_par_iter()
            .flat_map_iter(|at| {
                let entry = |descriptor: Descriptor| {
                    let upright = describer.turned(&descriptor, orientations[at]);
                    let deviation = likeness.deviation(&upright);
                    (Entry::new(&deviation), planes.keys(&deviation.direction))
                };
                describer.framed(&plane(at)).into_iter().map(entry).collect::<Vec<_>>()
            })
            .unzip();
        let tables = HashTables::new(planes, &keys);
        Self { describer, likeness, descriptors, orientations, entries, tables }
    }

    /// Pictures of which `part` may be a copy. `seen` marks every entry that another orientation or
    /// table found.
    fn like(&self, part: usize, seen: &mut [u32]) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = Vec::new();
        let descriptor = &self.descriptors[part];
        let asking = (part * self.describer.framings()) as u32;
        let plausible = self.likeness.plausible_orientations(&self.describer, descriptor);
        for (round, orientation) in plausible.into_iter().enumerate() {
            let mark = (part * 8 + round + 1) as u32;
            let turned = self.describer.turned(descriptor, orientation);
            let wanted = self.likeness.deviation(&turned);
            let wanted_entry = Entry::new(&wanted);
            self.tables.probe(&wanted.direction, asking, |entry| {
                let seen = &mut seen[entry as usize];
                if std::mem::replace(seen, mark) == mark {
                    return;
                }
                let (whole, framing) = self.picture_and_framing(entry);
                let score = wanted_entry.score(&self.entries[entry as usize]);
                if whole != part && score >= LEAST_SCORE {
                    let symmetry = orientation.then(self.orientations[whole].inverse());
                    let frame = self.describer.frame(framing);
                    found.push(Candidate { whole, part, symmetry, frame, score });
                }
            });
        }
        found.sort_by(|a, b| a.whole.cmp(&b.whole).then(b.score.total_cmp(&a.score)));
        found.dedup_by_key(|candidate| candidate.whole);
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.whole.cmp(&b.whole)));
        let copies = found.iter().take_while(|candidate| candidate.score >= COPY_SCORE).count();
        if copies > CANDIDATES {
            let first = COPY_CANDIDATES - FIRST_CANDIDATES;
            found[first..copies].sort_by_key(|candidate| candidate.whole);
            found.truncate(COPY_CANDIDATES);
        }
        found.truncate(CANDIDATES);
        found
    }

    fn picture_and_framing(&self, entry: u32) -> (usize, usize) {
        let entry = entry as usize;
        (entry / self.describer.framings(), entry % self.describer.framings())
    }
}

impl Entry {
    fn new(deviation: &Deviation) -> Self {
        let direction = deviation.direction.map(|value| (value * UNIT).round() as i16);
        Self { direction, length: deviation.length }
    }

    /// 1 less half the squared distance in units of the longer one: the cosine of the angle if both
    /// have one length.
    fn score(&self, other: &Self) -> f32 {
        let products = self.direction.iter().zip(&other.direction);
        let dot: i32 = products.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        let cosine = dot as f32 / (UNIT * UNIT);
        let (a, b) = (self.length, other.length);
        1.0 - (a * a + b * b - 2.0 * a * b * cosine) / (2.0 * a.max(b).powi(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::textures::Texture;

    /// Unrelated pictures, a turned copy of the first at position 7 and a crop of the second at 8.
    fn found() -> Vec<Candidate> {
        let crop = Frame { left: 0.03, top: 0.05, right: 0.96, bottom: 1.0 };
        let plane = |at: usize| match at {
            7 => Texture::new(0).plane(Frame::WHOLE).turned(Symmetry::Rotated90),
            8 => Texture::new(1).plane(crop),
            at => Texture::new(at as u64).plane(Frame::WHOLE),
        };
        candidates(60, plane)
    }

    fn between(found: &[Candidate], a: usize, b: usize) -> Candidate {
        let pairs =
            found.iter().filter(|c| [c.whole, c.part] == [a, b] || [c.part, c.whole] == [a, b]);
        let pairs: Vec<&Candidate> = pairs.collect();
        assert_eq!(pairs.len(), 1, "{a} and {b}: {pairs:?}");
        *pairs[0]
    }

    #[test]
    fn a_turned_copy_is_a_candidate_and_how_it_was_turned_is_known() {
        let candidate = between(&found(), 0, 7);
        let symmetry = if candidate.part == 7 { Symmetry::Rotated270 } else { Symmetry::Rotated90 };
        assert_eq!(candidate.symmetry, symmetry);
        assert!(candidate.score > 0.9);
    }

    #[test]
    fn a_crop_is_a_candidate_and_about_where_it_lies_is_known() {
        let candidate = between(&found(), 1, 8);
        assert_eq!((candidate.whole, candidate.part), (1, 8));
        assert!(candidate.score > 0.9);
        assert!((0.01..0.05).contains(&candidate.frame.left), "{candidate:?}");
    }

    #[test]
    fn nobody_is_held_against_all() {
        let found = found();
        assert!(found.len() < 60 * 59 / 8, "{}", found.len());
        let copies = found.iter().filter(|candidate| candidate.score >= COPY_SCORE).count();
        assert!(copies <= 4, "{copies}");
    }

    #[test]
    fn one_picture_alone_has_no_candidates() {
        assert_eq!(candidates(1, |_| Texture::new(0).plane(Frame::WHOLE)), []);
        assert_eq!(candidates(0, |_| Texture::new(0).plane(Frame::WHOLE)), []);
    }

    #[test]
    fn scores_fall_with_angle_and_with_length() {
        let deviation = |x: f32, y: f32, length: f32| {
            let mut direction = [0.0; COEFFICIENTS];
            (direction[0], direction[1]) = (x, y);
            Entry::new(&Deviation { direction, length })
        };
        let first = deviation(1.0, 0.0, 2.0);
        assert_eq!(first.score(&deviation(1.0, 0.0, 2.0)), 1.0);
        assert!((first.score(&deviation(0.6, 0.8, 2.0)) - 0.6).abs() < 1e-3);
        // 1 − (1 + 4 − 2 · 1 · 2) / (2 · 4)
        assert_eq!(first.score(&deviation(1.0, 0.0, 1.0)), 0.875);
    }
}
