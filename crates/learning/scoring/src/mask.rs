//! Covers parts of a model's input with one grey.

use std::ops::Range;

use imaging::Preprocessing;

/// Covers parts of preprocessed images with one grey.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mask {
    side: usize,
    fill: [f32; 3],
}

impl Mask {
    /// A mask for the output of `preprocessing`, with a level of grey from 0 to 255.
    pub fn new(preprocessing: &Preprocessing, level: f64) -> Self {
        // Planes of one pixel each.
        let mut fill = [(level / 255.0) as f32; 3];
        preprocessing.normalise(&mut fill);
        Self { side: preprocessing.image_size as usize, fill }
    }

    /// Height and width of the images, in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Covers the pixels of `rows` and `columns` in planes `[3, side, side]`.
    ///
    /// # Panics
    /// When the planes are of another size.
    pub fn cover(&self, planes: &mut [f32], rows: &Range<usize>, columns: &Range<usize>) {
        assert_eq!(planes.len(), 3 * self.side * self.side, "planes of another size");
        for (plane, fill) in planes.chunks_exact_mut(self.side * self.side).zip(self.fill) {
            for row in rows.clone() {
                plane[row * self.side..][..self.side][columns.clone()].fill(fill);
            }
        }
    }

    /// Covers one cell of a grid of `cells` × `cells`, numbered row by row.
    ///
    /// # Panics
    /// As [`cover`](Self::cover), and when there is no such cell.
    pub fn cover_cell(&self, planes: &mut [f32], cells: usize, cell: usize) {
        assert!(cell < cells * cells, "cell {cell} of {cells}×{cells}");
        let pixels = |at: usize| at * self.side / cells..(at + 1) * self.side / cells;
        self.cover(planes, &pixels(cell / cells), &pixels(cell % cells));
    }
}

#[cfg(test)]
mod tests {
    use imaging::Normalisation;

    use super::*;

    #[test]
    fn what_is_covered_is_what_the_grey_is_normalised_to() {
        let preprocessing = Preprocessing::bilinear(4, Normalisation::Imagenet);
        let mut grey = [100.0 / 255.0; 3];
        preprocessing.normalise(&mut grey);
        let mut planes = vec![9.0; 3 * 16];
        Mask::new(&preprocessing, 100.0).cover(&mut planes, &(1..3), &(0..1));
        for (plane, expected) in planes.chunks_exact(16).zip(grey) {
            for (place, value) in plane.iter().enumerate() {
                let is_covered = place == 4 || place == 8;
                assert_eq!(*value, if is_covered { expected } else { 9.0 }, "{place}");
            }
        }
    }

    #[test]
    fn cells_cover_the_picture_once() {
        let preprocessing = Preprocessing::bilinear(7, Normalisation::Unit);
        let mask = Mask::new(&preprocessing, 255.0);
        let mut covered = 0;
        for cell in 0..9 {
            let mut planes = vec![0.0; 3 * 49];
            mask.cover_cell(&mut planes, 3, cell);
            covered += planes.iter().filter(|value| **value == 1.0).count();
        }
        assert_eq!(covered, 3 * 49);
    }
}
