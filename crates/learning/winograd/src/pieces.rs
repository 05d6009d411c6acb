//! Divides the maps into pieces that threads compute separately.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::transform::{INPUT_SIDE, LANES, Lanes, SIDE};

/// Tiles that are computed together: enough that reading the kernels once for each block costs
/// little, and few enough to keep a block of 64 channels in the second-level cache.
const BLOCK_TILES: usize = 64;

/// The start of each pixel of a tile, row by row.
pub(crate) type Places = [[usize; INPUT_SIDE]; INPUT_SIDE];

/// The shape of one image, and of its output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) then: Epilogue,
}

impl Shape {
    /// A position outside the image.
    pub(crate) const PADDING: usize = usize::MAX;

    pub(crate) fn tile_columns(self) -> usize {
        self.width.div_ceil(SIDE)
    }

    pub(crate) fn tile_rows(self) -> usize {
        self.height.div_ceil(SIDE)
    }

    /// Height and width of a map.
    pub(crate) fn map_size(self) -> (usize, usize) {
        match self.then {
            Epilogue::Relu => (self.height, self.width),
            Epilogue::ReluMaxPool => (self.height / 2, self.width / 2),
        }
    }

    /// Values of one image's maps.
    pub(crate) fn map_length(self) -> usize {
        let (height, width) = self.map_size();
        height * width * self.outputs
    }

    /// The image `[H, W, C]` that a row of tiles, counted through all images, belongs to.
    pub(crate) fn image_of(self, images: &[f32], tile_row: usize) -> &[f32] {
        let length = self.height * self.width * self.inputs;
        &images[tile_row / self.tile_rows() * length..][..length]
    }

    /// The positions of a tile's pixels in an image; the tile begins one above and one left of
    /// `(top, left)`. [`Shape::PADDING`] beyond the edges.
    #[inline(always)]
    pub(crate) fn places(self, (top, left): (usize, usize)) -> Places {
        let mut places = [[Self::PADDING; INPUT_SIDE]; INPUT_SIDE];
        for (row, y) in places.iter_mut().zip(top..) {
            for (place, x) in row.iter_mut().zip(left..) {
                if (1..=self.height).contains(&y) && (1..=self.width).contains(&x) {
                    *place = ((y - 1) * self.width + x - 1) * self.inputs;
                }
            }
        }
        places
    }

    /// Up to [`LANES`] channels of each pixel of a tile; zero in the padding and beyond the last
    /// channel.
    pub(crate) fn fill(
        self,
        tile: &mut [[Lanes; INPUT_SIDE]; INPUT_SIDE],
        image: &[f32],
        places: &Places,
        channel: usize,
    ) {
        let channels = LANES.min(self.inputs - channel);
        for (lanes, place) in tile.iter_mut().flatten().zip(places.iter().flatten()) {
            *lanes = [0.0; LANES];
            if *place != Self::PADDING {
                let start = place + channel;
                lanes[..channels].copy_from_slice(&image[start..start + channels]);
            }
        }
    }

    /// The rows of a map that a row of tiles computes, in its image.
    pub(crate) fn map_rows(self, tile_row: usize) -> Range<usize> {
        let side = match self.then {
            Epilogue::Relu => SIDE,
            Epilogue::ReluMaxPool => SIDE / 2,
        };
        let (height, _) = self.map_size();
        (tile_row * side).min(height)..((tile_row + 1) * side).min(height)
    }

    /// Rows of pixels that those rows of a map are computed from.
    pub(crate) fn convolved_rows(self, tile_row: usize) -> usize {
        let rows = self.map_rows(tile_row % self.tile_rows()).len();
        match self.then {
            Epilogue::Relu => rows,
            Epilogue::ReluMaxPool => 2 * rows,
        }
    }
}

/// Rows of tiles, counted through all images, in blocks.
#[derive(Debug)]
pub(crate) struct Split {
    shape: Shape,
    tile_rows: usize,
    blocks: usize,
}

impl Split {
    pub(crate) fn new(shape: Shape, images: usize, threads: usize) -> Self {
        let tile_rows = images * shape.tile_rows();
        let tiles = tile_rows * shape.tile_columns();
        // No thread waits for the last block.
        let blocks = tiles.div_ceil(BLOCK_TILES).next_multiple_of(threads).min(tile_rows);
        Self { shape, tile_rows, blocks }
    }

    /// Each block's rows of tiles, with their part of the maps.
    pub(crate) fn cut<'a>(&self, maps: &'a mut [f32]) -> Vec<(Range<usize>, &'a mut [f32])> {
        let per_image = self.shape.tile_rows();
        let row_length = self.shape.map_size().1 * self.shape.outputs;
        let mut rest = maps;
        (0..self.blocks)
            .map(|block| {
                let start = block * self.tile_rows / self.blocks;
                let end = (block + 1) * self.tile_rows / self.blocks;
                let rows: usize =
                    (start..end).map(|row| self.shape.map_rows(row % per_image).len()).sum();
                let (mine, others) = std::mem::take(&mut rest).split_at_mut(rows * row_length);
                rest = others;
                (start..end, mine)
            })
            .collect()
    }
}
