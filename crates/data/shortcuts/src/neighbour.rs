//! The nearest neighbour.

use rayon::prelude::*;

use crate::rows::Rows;

/// Number of queried and of known rows whose distances are computed together: both fit in a core's
/// own memory.
const ASKED_AT_ONCE: usize = 16;
const KNOWN_AT_ONCE: usize = 64;

/// Known rows with their classes.
pub(crate) struct Neighbours {
    known: Rows,
    labels: Vec<usize>,
    classes: usize,
    unit: f64,
}

impl Neighbours {
    /// `unit` is the distance that counts as small: see [`probabilities`](Self::probabilities).
    pub(crate) fn of(known: Rows, labels: &[usize], classes: usize, unit: f64) -> Self {
        Self { known, labels: labels.to_vec(), classes, unit }
    }

    /// Probabilities `[rows, classes]`, row by row: in proportion to 1 / (unit + d), where d is the
    /// root mean square difference to the nearest known row of the class. The most probable class is
    /// that of the nearest neighbour; a class without any has probability 0.
    pub(crate) fn probabilities(&self, asked: &Rows) -> Vec<f64> {
        let mut probabilities = self.nearest(asked);
        let width = asked.width() as f64;
        for row in probabilities.chunks_exact_mut(self.classes) {
            for value in row.iter_mut() {
                *value = 1.0 / (self.unit + (*value / width).sqrt());
            }
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|value| *value /= sum);
        }
        probabilities
    }

    /// The squared distance of each row to the nearest known one of each class, infinite if the
    /// class has none: `[rows, classes]`. Every distance is computed in the same way whatever rows
    /// are around it, so that neither blocks nor threads change the result.
    fn nearest(&self, asked: &Rows) -> Vec<f64> {
        let mut nearest = vec![f64::INFINITY; asked.len() * self.classes];
        nearest.par_chunks_mut(ASKED_AT_ONCE * self.classes).enumerate().for_each(|(at, block)| {
            let first = at * ASKED_AT_ONCE;
            for start in (0..self.known.len()).step_by(KNOWN_AT_ONCE) {
                let end = (start + KNOWN_AT_ONCE).min(self.known.len());
                for (further, row) in block.chunks_exact_mut(self.classes).enumerate() {
                    let asked = asked.row(first + further);
                    for known in start..end {
                        let distance = squared_distance(self.known.row(known), asked);
                        let nearest = &mut row[self.labels[known]];
                        *nearest = nearest.min(distance);
                    }
                }
            }
        });
        nearest
    }
}

/// Rows with a list of their nearest other rows, so that nearest neighbours among many subsets of
/// the rows are found at the cost of one search.
pub(crate) struct Ranked {
    rows: Rows,
    nearest: Vec<Vec<u32>>,
}

impl Ranked {
    /// Number of others that each row remembers. Of subsets with half of the rows or more, one in
    /// 2¹²⁸ has none of them; in that case all rows are searched.
    const REMEMBERED: usize = 128;

    pub(crate) fn of(rows: Rows) -> Self {
        let nearest = ranked(&rows, Self::REMEMBERED);
        Self { rows, nearest }
    }

    /// The nearest of the `known` rows, the first of equals; none if no row is known.
    pub(crate) fn nearest(&self, asked: usize, known: &[bool]) -> Option<usize> {
        let remembered = self.nearest[asked].iter().map(|other| *other as usize);
        remembered.into_iter().find(|other| known[*other]).or_else(|| {
            let others = (0..self.rows.len()).filter(|other| known[*other] && *other != asked);
            let distance = |other| squared_distance(self.rows.row(other), self.rows.row(asked));
            others.min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
        })
    }
}

/// The other rows nearest to each, up to `most` of them, nearest first; of equals the first.
fn ranked(rows: &Rows, most: usize) -> Vec<Vec<u32>> {
    (0..rows.len())
        .collect::<Vec<_>>()
        .par_chunks(ASKED_AT_ONCE)
        .flat_map_iter(|asked| {
            let mut distances = vec![Vec::with_capacity(rows.len()); asked.len()];
            for start in (0..rows.len()).step_by(KNOWN_AT_ONCE) {
                let end = (start + KNOWN_AT_ONCE).min(rows.len());
                for (distances, asked) in distances.iter_mut().zip(asked) {
                    distances.extend((start..end).filter(|other| other != asked).map(|other| {
                        (squared_distance(rows.row(other), rows.row(*asked)), other as u32)
                    }));
                }
            }
            distances.into_iter().map(|distances| first_of(distances, most)).collect::<Vec<_>>()
        })
        .collect()
}

fn first_of(mut distances: Vec<(f64, u32)>, most: usize) -> Vec<u32> {
    let in_order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if distances.len() > most {
        distances.select_nth_unstable_by(most, in_order);
        distances.truncate(most);
    }
    distances.sort_unstable_by(in_order);
    distances.into_iter().map(|(_, row)| row).collect()
}

/// Sums in lanes, which a compiler turns into vectors. Exact for whole numbers below 256 in rows of
/// up to 4,096: no lane exceeds 2²⁴.
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = Rows::LANES;
    let mut lanes = [0.0_f32; LANES];
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            lanes[lane] += difference * difference;
        }
    }
    lanes.into_iter().map(f64::from).sum()
}

#[cfg(test)]
mod tests {
    use picture_checks::Facts;

    use super::*;
    use crate::picture::tests::facts_of;

    fn neighbours(pictures: &[&Facts], labels: &[usize], classes: usize) -> Neighbours {
        Neighbours::of(Rows::of_thumbnails(pictures), labels, classes, 1.0)
    }

    #[test]
    fn the_nearest_thumbnail_decides_and_distances_are_in_levels() {
        let [black, grey, white] = [0, 100, 255].map(|level| facts_of(32, 32, move |_, _| level));
        let neighbours = neighbours(&[&black, &grey, &white], &[0, 1, 1], 3);
        let asked = facts_of(40, 40, |_, _| 90);
        let row = neighbours.probabilities(&Rows::of_thumbnails(&[&asked]));
        // 90 levels from the nearest of class 0, 10 from that of class 1; class 2 has none.
        let (zero, one) = (1.0 / 91.0, 1.0 / 11.0);
        assert!((row[0] - zero / (zero + one)).abs() < 1e-12);
        assert!((row[1] - one / (zero + one)).abs() < 1e-12);
        assert_eq!(row[2], 0.0);
    }

    #[test]
    fn copies_with_different_labels_leave_it_open() {
        let [black, white] = [0, 255].map(|level| facts_of(32, 32, move |_, _| level));
        let neighbours = neighbours(&[&black, &black, &white], &[0, 1, 2], 3);
        let row = neighbours.probabilities(&Rows::of_thumbnails(&[&black]));
        assert_eq!(row[0], row[1]);
        assert!((row[2] - (1.0 / 256.0) / (2.0 + 1.0 / 256.0)).abs() < 1e-12, "{row:?}");
    }

    /// Rows of whole numbers below 256, by a linear congruence.
    fn drawn(rows: usize, width: usize) -> Rows {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as f32
        };
        Rows::new(width, (0..rows * width).map(|_| next()))
    }

    fn exact(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    }

    #[test]
    fn distances_of_thumbnails_are_exact_in_every_block() {
        // More than one block of either, neither full at the end, and a width of half a lane.
        let (known, asked) = (drawn(150, 1_000), drawn(37, 1_000));
        let labels: Vec<usize> = (0..150).map(|at| at % 3).collect();
        let expected: Vec<f64> = (0..37)
            .flat_map(|row| {
                let (known, asked, labels) = (&known, &asked, &labels);
                (0..3).map(move |class| {
                    (0..150)
                        .filter(|at| labels[*at] == class)
                        .map(|at| exact(known.row(at), asked.row(row)))
                        .fold(f64::INFINITY, f64::min)
                })
            })
            .collect();
        let found = Neighbours::of(drawn(150, 1_000), &labels, 3, 1.0).nearest(&asked);
        assert_eq!(found, expected);
    }

    #[test]
    fn others_are_ranked_by_distance_and_equals_by_their_place() {
        let rows = Rows::new(1, [5.0, 0.0, 4.0, 6.0, 20.0].into_iter());
        assert_eq!(ranked(&rows, 2), [[2, 3], [2, 0], [0, 3], [0, 2], [3, 0]]);
        assert_eq!(ranked(&rows, 9)[4], [3, 0, 2, 1]);
        let many = drawn(150, 30);
        let ranks = ranked(&many, 150);
        for (row, others) in ranks.iter().enumerate() {
            assert_eq!(others.len(), 149);
            let distance = |other: &u32| exact(many.row(row), many.row(*other as usize));
            assert!(others.is_sorted_by(|a, b| distance(a) <= distance(b)), "{row}");
        }
    }

    #[test]
    fn the_nearest_of_a_part_is_found_beyond_what_is_remembered() {
        let rows = Ranked::of(Rows::new(1, (0..300_u16).map(f32::from)));
        let only = |known: &[usize]| (0..300).map(|at| known.contains(&at)).collect::<Vec<_>>();
        assert_eq!(rows.nearest(10, &only(&[10, 12, 7, 250])), Some(12));
        assert_eq!(rows.nearest(0, &only(&[0, 290, 280])), Some(280));
        assert_eq!(rows.nearest(0, &only(&[0])), None);
    }
}
