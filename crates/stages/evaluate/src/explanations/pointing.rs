//! The pointing game: whether the most marked place is on the lesion.

use dataset::LesionBox;
use metrics::{Bootstrap, Estimate};
use serde::Serialize;

use super::{Case, Examination};
use crate::worth::{mean_over, score};

/// How often maps point at the lesion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PointingGame {
    /// Images with a known lesion, and a map that is not empty.
    pub(crate) images: usize,
    /// The share whose most marked cell touches the box around the lesion.
    pub(crate) hits: Estimate,
    /// The share of all cells that do: the hit rate of a random cell.
    pub(crate) chance: f64,
    /// The first less the second, image by image.
    pub(crate) gain: Estimate,
}

impl Examination<'_> {
    /// Plays the game on the images with a known lesion; none if there is no such image.
    pub(super) fn point(&self, cases: &[Case]) -> Option<PointingGame> {
        let mut hits = vec![f64::NAN; self.test.images.len()];
        let mut chances = hits.clone();
        let mut places = Vec::new();
        for case in cases.iter().filter(|case| !case.is_empty()) {
            let name = &self.test.images[case.place].name;
            let Some(lesion) = self.lesions.get(name) else { continue };
            let touched = touched(lesion, case.map.side);
            hits[case.place] = f64::from(u8::from(touched.contains(&hottest(&case.map.values))));
            chances[case.place] = touched.len() as f64 / case.map.values.len() as f64;
            places.push(case.place);
        }
        if places.is_empty() {
            return None;
        }
        let gains: Vec<f64> = hits.iter().zip(&chances).map(|(hit, chance)| hit - chance).collect();
        let mean = |bootstrap: &Bootstrap, values| mean_over(bootstrap, self.test, &places, values);
        Some(PointingGame {
            images: places.len(),
            hits: mean(&self.bootstrap, &hits),
            chance: places.iter().map(|place| chances[*place]).sum::<f64>() / places.len() as f64,
            gain: mean(&self.bootstrap, &gains),
        })
    }
}

impl PointingGame {
    /// In a sentence.
    pub(crate) fn in_words(&self) -> String {
        format!(
            "On {} images with a known lesion, the most marked place is on it in {} of them; a random \
             place would be in {:.3}.",
            self.images,
            score(self.hits.value),
            self.chance
        )
    }
}

/// The cell with the largest value; of equal ones the first.
fn hottest(values: &[f32]) -> usize {
    let cells = values.iter().copied().enumerate();
    cells.reduce(|best, it| if it.1 > best.1 { it } else { best }).map_or(0, |(cell, _)| cell)
}

/// Cells of a grid that a box overlaps, row by row.
fn touched(lesion: &LesionBox, cells: usize) -> Vec<usize> {
    let side = cells as f64;
    let touches =
        |at: usize, from: f64, to: f64| (at as f64) < to * side && (at as f64 + 1.0) > from * side;
    (0..cells * cells)
        .filter(|cell| {
            touches(cell / cells, lesion.top, lesion.bottom)
                && touches(cell % cells, lesion.left, lesion.right)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_counts_where_the_box_has_some_part_of_it() {
        let lesion = LesionBox { left: 0.3, top: 0.5, right: 0.5, bottom: 0.8 };
        // Of 4×4 cells: column 1 alone, rows 2 and 3.
        assert_eq!(touched(&lesion, 4), [9, 13]);
        let all = LesionBox { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 };
        assert_eq!(touched(&all, 3).len(), 9);
    }

    #[test]
    fn the_hottest_is_the_first_of_equals() {
        assert_eq!(hottest(&[0.0, 3.0, 1.0, 3.0]), 1);
    }
}
