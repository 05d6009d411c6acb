//! The nearest neighbour among thumbnails.

use picture_checks::{Facts, GreyThumbnail};
use rayon::prelude::*;

/// Known thumbnails with their classes.
pub(crate) struct Neighbours(Vec<(GreyThumbnail, usize)>);

impl Neighbours {
    pub(crate) fn of(pictures: &[&Facts], classes: &[usize]) -> Self {
        let known = pictures.iter().zip(classes);
        Self(known.map(|(facts, class)| (facts.thumbnail.clone(), *class)).collect())
    }

    /// Probabilities `[pictures, classes]`, row by row: in proportion to 1 / (1 + d), where d is the
    /// root mean square difference, in levels of grey, to the nearest thumbnail of the class. The
    /// most probable class is that of the nearest neighbour; a class without any has probability 0.
    pub(crate) fn probabilities(&self, pictures: &[&Facts], classes: usize) -> Vec<f64> {
        pictures
            .par_iter()
            .flat_map_iter(|facts| {
                let closeness = self.closeness(&facts.thumbnail, classes);
                let sum: f64 = closeness.iter().sum();
                closeness.into_iter().map(move |closeness| closeness / sum)
            })
            .collect()
    }

    fn closeness(&self, thumbnail: &GreyThumbnail, classes: usize) -> Vec<f64> {
        let mut nearest = vec![None; classes];
        for (known, class) in &self.0 {
            let distance = squared_distance(known.levels(), thumbnail.levels());
            let nearest: &mut Option<u32> = &mut nearest[*class];
            *nearest = Some(nearest.map_or(distance, |nearest| nearest.min(distance)));
        }
        let pixels = thumbnail.levels().len() as f64;
        let closeness = |distance: u32| 1.0 / (1.0 + (f64::from(distance) / pixels).sqrt());
        nearest.into_iter().map(|nearest| nearest.map_or(0.0, closeness)).collect()
    }
}

/// At most 1,024 × 255², which fits.
fn squared_distance(a: &[u8], b: &[u8]) -> u32 {
    let square = |(a, b): (&u8, &u8)| {
        let difference = u32::from(a.abs_diff(*b));
        difference * difference
    };
    a.iter().zip(b).map(square).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::facts_of;

    #[test]
    fn the_nearest_thumbnail_decides_and_distances_are_in_levels() {
        let [black, grey, white] = [0, 100, 255].map(|level| facts_of(32, 32, move |_, _| level));
        let neighbours = Neighbours::of(&[&black, &grey, &white], &[0, 1, 1]);
        let asked = facts_of(40, 40, |_, _| 90);
        let row = neighbours.probabilities(&[&asked], 3);
        // 90 levels from the nearest of class 0, 10 from that of class 1; class 2 is not there.
        let (zero, one) = (1.0 / 91.0, 1.0 / 11.0);
        assert!((row[0] - zero / (zero + one)).abs() < 1e-12);
        assert!((row[1] - one / (zero + one)).abs() < 1e-12);
        assert_eq!(row[2], 0.0);
    }

    #[test]
    fn copies_with_different_labels_leave_it_open() {
        let [black, white] = [0, 255].map(|level| facts_of(32, 32, move |_, _| level));
        let neighbours = Neighbours::of(&[&black, &black, &white], &[0, 1, 2]);
        let row = neighbours.probabilities(&[&black], 3);
        assert_eq!(row[0], row[1]);
        assert!((row[2] - (1.0 / 256.0) / (2.0 + 1.0 / 256.0)).abs() < 1e-12, "{row:?}");
    }

    #[test]
    fn rows_stand_in_the_order_of_the_pictures() {
        let pictures: Vec<Facts> = (0..50).map(|at| facts_of(32, 32, move |_, _| at * 5)).collect();
        let pictures: Vec<&Facts> = pictures.iter().collect();
        let neighbours = Neighbours::of(&[pictures[0], pictures[49]], &[0, 1]);
        let rows = neighbours.probabilities(&pictures, 2);
        assert!(rows.chunks_exact(2).is_sorted_by(|a, b| a[0] > b[0]), "{rows:?}");
    }
}
