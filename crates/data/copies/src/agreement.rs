//! Whether two aligned pictures are the same, by their fine structure.

use crate::alignment::OverlapPixels;
use crate::plane::Plane;
use crate::signature::BLOCK_SIDE;

/// The two blurs, in pixels, between which the fine structure lies: the first keeps it and the
/// second removes it.
const BLURS: [f32; 2] = [0.5, 1.2];

/// A block counts if its structure is stronger than this share of the mean. Even tissue and air
/// agree with anything.
const LEAST_STRUCTURE: f32 = 0.1;

/// Pictures with fewer blocks of structure cannot be distinguished.
const LEAST_BLOCKS: usize = 6;

/// Below this correlation a block shows something else.
const OTHER: f32 = 0.5;

/// How well the fine structures of two aligned pictures agree, block by block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreement {
    /// The correlation that three quarters of the blocks reach.
    pub(crate) of_most: f32,
    /// The correlation that nine tenths of the blocks reach.
    pub(crate) of_nearly_all: f32,
    /// The share of the blocks that show something else.
    pub(crate) other_share: f32,
}

/// Compares pixels within `inside`. `None` if there is too little structure, or less than half of
/// the picture is inside.
pub(crate) fn agreement(shown: &Plane, part: &Plane, inside: &OverlapPixels) -> Option<Agreement> {
    let side = part.side();
    let (shown, part) = (fine_structure(shown), fine_structure(part));
    let whole_blocks = |range: &std::ops::Range<usize>| {
        // the pixel next to the border is inside, but not counted as such
        let first = range.start.saturating_sub(1).div_ceil(BLOCK_SIDE);
        first..(range.end + 1).min(side) / BLOCK_SIDE
    };
    let (columns, rows) = (whole_blocks(&inside.columns), whole_blocks(&inside.rows));
    let all = (side / BLOCK_SIDE).pow(2);
    if 2 * columns.len() * rows.len() < all {
        return None;
    }
    let blocks: Vec<Block> = rows
        .flat_map(|row| columns.clone().map(move |column| (row, column)))
        .map(|(row, column)| Block::of(&shown, &part, row, column))
        .collect();
    let mean = blocks.iter().map(|block| block.structure).sum::<f32>() / blocks.len() as f32;
    let mut correlations: Vec<f32> = blocks
        .iter()
        .filter(|block| block.structure > LEAST_STRUCTURE * mean)
        .map(|block| block.correlation)
        .collect();
    if correlations.len() < LEAST_BLOCKS {
        return None;
    }
    correlations.sort_by(f32::total_cmp);
    let other = correlations.iter().filter(|correlation| **correlation < OTHER).count();
    Some(Agreement {
        of_most: quantile(&correlations, 0.25),
        of_nearly_all: quantile(&correlations, 0.10),
        other_share: other as f32 / correlations.len() as f32,
    })
}

/// A band of frequencies: a difference of two Gaussians.
fn fine_structure(plane: &Plane) -> Plane {
    plane.blurred(BLURS[0]).minus(&plane.blurred(BLURS[1]))
}

struct Block {
    correlation: f32,
    /// The geometric mean of both powers.
    structure: f32,
}

impl Block {
    fn of(shown: &Plane, part: &Plane, row: usize, column: usize) -> Self {
        let (mut aa, mut ab, mut bb) = (0.0_f32, 0.0, 0.0);
        for y in row * BLOCK_SIDE..(row + 1) * BLOCK_SIDE {
            let start = y * part.side() + column * BLOCK_SIDE;
            let cells = start..start + BLOCK_SIDE;
            for (a, b) in shown.values()[cells.clone()].iter().zip(&part.values()[cells]) {
                aa += a * a;
                ab += a * b;
                bb += b * b;
            }
        }
        let structure = (aa * bb).sqrt();
        Self { correlation: ab / structure.max(f32::MIN_POSITIVE), structure }
    }
}

/// The value below which this share of sorted values lies, interpolated as NumPy's `quantile`.
fn quantile(sorted: &[f32], share: f32) -> f32 {
    let place = share * (sorted.len() - 1) as f32;
    let (below, above) = (sorted[place as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use crate::textures::Texture;

    fn whole() -> OverlapPixels {
        OverlapPixels::of(Frame::WHOLE, 88)
    }

    #[test]
    fn a_picture_agrees_with_itself_in_other_tones() {
        let plane = Texture::new(1).plane(Frame::WHOLE);
        let toned = Plane::new(88, plane.values().iter().map(|value| 0.5 * value + 0.2).collect());
        let found = agreement(&plane, &toned, &whole()).unwrap();
        assert!(found.of_nearly_all > 0.999);
        assert_eq!(found.other_share, 0.0);
    }

    #[test]
    fn strangers_do_not_agree() {
        let [a, b] = [1, 2].map(|seed| Texture::new(seed).plane(Frame::WHOLE));
        let found = agreement(&a, &b, &whole()).unwrap();
        assert!(found.of_most < 0.1 && found.of_nearly_all < found.of_most, "{found:?}");
        assert!(found.other_share > 0.7);
    }

    #[test]
    fn what_is_drawn_on_a_few_blocks_counts_as_their_share() {
        let [plane, other] = [1, 2].map(|seed| Texture::new(seed).plane(Frame::WHOLE));
        let mut values = plane.values().to_vec();
        // three blocks wide, two high: 6 of 121
        for y in 40..56 {
            values[y * 88 + 24..y * 88 + 48].copy_from_slice(&other.values()[y * 88..y * 88 + 24]);
        }
        let found = agreement(&plane, &Plane::new(88, values), &whole()).unwrap();
        assert!((4.0..=8.0).contains(&(found.other_share * 121.0)), "{found:?}");
        assert!(found.of_most > 0.999);
    }

    #[test]
    fn too_little_structure_or_overlap_is_no_evidence() {
        let plane = Texture::new(1).plane(Frame::WHOLE);
        let mut dot = vec![0.0; 88 * 88];
        dot[30 * 88 + 30] = 1.0;
        let dot = Plane::new(88, dot);
        assert!(agreement(&dot, &dot, &whole()).is_none());
        let half = OverlapPixels { columns: 0..40, rows: 0..88 };
        assert!(agreement(&plane, &plane, &half).is_none());
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([0, 1, 2, 5], [0.25, 0.9])
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 5.0], 0.25), 0.75);
        assert!((quantile(&[0.0, 1.0, 2.0, 5.0], 0.9) - 4.1).abs() < 1e-5);
    }
}
