//! Covers parts of a model's input with one grey.

use std::ops::Range;

use classifier::ModelInput;
use config::Flip;
use imaging::Preprocessing;

/// Covers parts of preprocessed images with one grey.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    images: Vec<ImageMask>,
}

/// The same for one image of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ImageMask {
    side: usize,
    flip: Flip,
    fill: [f32; 3],
}

impl Mask {
    /// A mask for what `input` makes, with a level of grey from 0 to 255.
    pub fn new(input: &ModelInput, level: f64) -> Self {
        Self { images: input.images().iter().map(|image| ImageMask::new(image, level)).collect() }
    }

    /// Covers everything.
    ///
    /// # Panics
    /// When the input is of another size.
    pub fn cover_all(&self, input: &mut [f32]) {
        self.cover_cell(input, 1, 0);
    }

    /// Covers the middle, up to an n-th of the picture from each side.
    ///
    /// # Panics
    /// When the input is of another size.
    pub fn cover_middle(&self, input: &mut [f32], nth: usize) {
        self.for_each_image(input, |mask, planes| {
            let middle = mask.side / nth..mask.side - mask.side / nth;
            mask.cover(planes, &middle, &middle);
        });
    }

    /// Covers an n-th of the picture at each side.
    ///
    /// # Panics
    /// When the input is of another size.
    pub fn cover_border(&self, input: &mut [f32], nth: usize) {
        self.for_each_image(input, |mask, planes| {
            let side = mask.side;
            for outer in [0..side / nth, side - side / nth..side] {
                mask.cover(planes, &outer, &(0..side));
                mask.cover(planes, &(0..side), &outer);
            }
        });
    }

    /// Covers one cell of a grid of `cells` × `cells` over the picture, numbered row by row.
    ///
    /// # Panics
    /// When the input is of another size, or there is no such cell.
    pub fn cover_cell(&self, input: &mut [f32], cells: usize, cell: usize) {
        assert!(cell < cells * cells, "cell {cell} of {cells}×{cells}");
        self.for_each_image(input, |mask, planes| {
            let pixels = |at: usize, is_flipped: bool| {
                let (start, end) = (at * mask.side / cells, (at + 1) * mask.side / cells);
                if is_flipped { mask.side - end..mask.side - start } else { start..end }
            };
            let rows = pixels(cell / cells, matches!(mask.flip, Flip::Vertical | Flip::Both));
            let columns = pixels(cell % cells, matches!(mask.flip, Flip::Horizontal | Flip::Both));
            mask.cover(planes, &rows, &columns);
        });
    }

    fn for_each_image(&self, input: &mut [f32], cover: impl Fn(&ImageMask, &mut [f32])) {
        let mut rest = input;
        for mask in &self.images {
            let (planes, others) = rest.split_at_mut(3 * mask.side * mask.side);
            cover(mask, planes);
            rest = others;
        }
        assert!(rest.is_empty(), "an input of another size");
    }
}

impl ImageMask {
    fn new(preprocessing: &Preprocessing, level: f64) -> Self {
        // Planes of one pixel each.
        let mut fill = [(level / 255.0) as f32; 3];
        preprocessing.normalise(&mut fill);
        Self { side: preprocessing.image_size as usize, flip: preprocessing.flip, fill }
    }

    /// Covers the pixels of `rows` and `columns` in planes `[3, side, side]`.
    fn cover(&self, planes: &mut [f32], rows: &Range<usize>, columns: &Range<usize>) {
        for (plane, fill) in planes.chunks_exact_mut(self.side * self.side).zip(self.fill) {
            for row in rows.clone() {
                plane[row * self.side..][..self.side][columns.clone()].fill(fill);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use imaging::Normalisation;

    use super::*;

    fn input(side: u32, flip: Flip) -> ModelInput {
        let preprocessing = Preprocessing::bilinear(side, Normalisation::Imagenet);
        ModelInput::of_one(Preprocessing { flip, ..preprocessing })
    }

    /// The places of the first plane that are no longer 9.
    fn covered(planes: &[f32], side: usize) -> Vec<usize> {
        (0..side * side).filter(|place| planes[*place] != 9.0).collect()
    }

    #[test]
    fn what_is_covered_is_what_the_grey_is_normalised_to() {
        let input = input(4, Flip::None);
        let mut grey = [100.0 / 255.0; 3];
        input.images()[0].normalise(&mut grey);
        let mut planes = vec![9.0; 3 * 16];
        Mask::new(&input, 100.0).cover_cell(&mut planes, 4, 8);
        for (plane, expected) in planes.chunks_exact(16).zip(grey) {
            for (place, value) in plane.iter().enumerate() {
                assert_eq!(*value, if place == 8 { expected } else { 9.0 }, "{place}");
            }
        }
    }

    #[test]
    fn cells_cover_the_picture_once() {
        let mask = Mask::new(&input(7, Flip::None), 255.0);
        let mut seen = 0;
        for cell in 0..9 {
            let mut planes = vec![9.0; 3 * 49];
            mask.cover_cell(&mut planes, 3, cell);
            seen += covered(&planes, 7).len();
        }
        assert_eq!(seen, 49);
    }

    #[test]
    fn a_flipped_image_is_covered_where_the_same_part_of_the_picture_is() {
        for flip in [Flip::Horizontal, Flip::Vertical, Flip::Both] {
            let mut plain = vec![9.0; 3 * 25];
            Mask::new(&input(5, Flip::None), 0.0).cover_cell(&mut plain, 3, 1);
            flip.apply(&mut plain, 5);
            let mut flipped = vec![9.0; 3 * 25];
            Mask::new(&input(5, flip), 0.0).cover_cell(&mut flipped, 3, 1);
            assert_eq!(flipped, plain, "{flip}");
        }
    }

    #[test]
    fn middle_and_border_are_the_whole() {
        let mask = Mask::new(&input(9, Flip::None), 0.0);
        let (mut middle, mut border) = (vec![9.0; 3 * 81], vec![9.0; 3 * 81]);
        mask.cover_middle(&mut middle, 8);
        mask.cover_border(&mut border, 8);
        let mut both = [covered(&middle, 9), covered(&border, 9)].concat();
        both.sort_unstable();
        assert_eq!(both, (0..81).collect::<Vec<_>>());
        assert_eq!(covered(&middle, 9).len(), 49);
    }
}
