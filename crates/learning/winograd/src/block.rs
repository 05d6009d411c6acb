//! One block of tiles, from pixels to maps.

use std::cell::RefCell;
use std::ops::Range;

use crate::buffer::Buffer;
use crate::direct::{self, Lines};
use crate::epilogue::Epilogue;
use crate::kernels::Kernels;
use crate::pieces::Shape;
use crate::product::{self, Layout, Part};
use crate::transform::{self, INPUT_SIDE, LANES, Lanes, POINTS, SIDE};

/// Instructions that this processor has. The choice does not change the bytes of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionSet(Instructions);

/// An [`InstructionSet`] holds only instructions that the processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instructions {
    /// AVX-512F: 32 registers of 16 values.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 and FMA: 16 registers of 8 values.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl InstructionSet {
    /// The fastest that this processor has; none if a direct convolution is the better choice.
    pub fn detect() -> Option<Self> {
        Self::available().into_iter().next()
    }

    /// All that this processor has, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut available = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                available.push(Self(Instructions::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                available.push(Self(Instructions::Avx2));
            }
        }
        available
    }
}

/// The inputs of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) shape: Shape,
    /// All images `[N, H, W, C]`.
    pub(crate) images: &'a [f32],
    pub(crate) kernels: &'a Kernels,
}

impl Work<'_> {
    /// Computes the maps of some rows of tiles, counted through all images.
    pub(crate) fn compute(
        &self,
        instructions: InstructionSet,
        tile_rows: Range<usize>,
        maps: &mut [f32],
    ) {
        let outputs = self.shape.outputs;
        let layout = match self.kernels {
            Kernels::Transformed { .. } => Layout {
                points: POINTS,
                tiles: tile_rows.len() * self.shape.tile_columns(),
                inputs: self.shape.inputs.next_multiple_of(LANES),
                outputs,
            },
            Kernels::Direct { .. } => Layout {
                points: 1,
                tiles: tile_rows.clone().map(|row| self.shape.convolved_rows(row)).sum::<usize>()
                    * self.shape.width,
                inputs: direct::NEIGHBOURHOOD,
                outputs,
            },
        };
        let block = Block { work: self, layout, tile_rows };
        SCRATCH.with_borrow_mut(|scratch| {
            let (before, after) = layout.lengths();
            let (before, after) = scratch.first(before + after).split_at_mut(before);
            #[expect(unsafe_code, reason = "these instructions are not on every processor")]
            // SAFETY: `available` found that this processor has them.
            match instructions.0 {
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx512 => unsafe { with_avx512(&block, before, after, maps) },
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx2 => unsafe { with_avx2(&block, before, after, maps) },
            }
        });
    }
}

thread_local! {
    /// The points of a block, before and after the product. Reused, since new memory must be
    /// cleared.
    static SCRATCH: RefCell<Buffer> = RefCell::default();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512(block: &Block<'_>, before: &mut [f32], after: &mut [f32], maps: &mut [f32]) {
    block.compute(before, after, maps, 12, |part, after| product::multiply_avx512(part, after));
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2(block: &Block<'_>, before: &mut [f32], after: &mut [f32], maps: &mut [f32]) {
    block.compute(before, after, maps, 3, |part, after| product::multiply_avx2(part, after));
}

struct Block<'a> {
    work: &'a Work<'a>,
    layout: Layout,
    tile_rows: Range<usize>,
}

impl Block<'_> {
    #[inline(always)]
    fn compute(
        &self,
        before: &mut [f32],
        after: &mut [f32],
        maps: &mut [f32],
        most_rows: usize,
        multiply: impl Fn(Part<'_>, &mut [f32]),
    ) {
        match self.work.kernels {
            Kernels::Transformed { panels, bias } => {
                self.transform_input(before);
                product::all(self.layout, before, panels, after, most_rows, multiply);
                self.transform_output(after, bias, maps);
            }
            Kernels::Direct { panels } => {
                self.gather_neighbourhoods(before);
                match self.work.shape.then {
                    Epilogue::Relu => {
                        product::all(self.layout, before, panels, maps, most_rows, multiply);
                        maps.iter_mut().for_each(|value| *value = transform::relu(*value));
                    }
                    Epilogue::ReluMaxPool => {
                        product::all(self.layout, before, panels, after, most_rows, multiply);
                        self.pool(after, maps);
                    }
                }
            }
        }
    }

    /// The neighbourhood of each pixel, row by row.
    #[inline(always)]
    fn gather_neighbourhoods(&self, before: &mut [f32]) {
        let shape = self.work.shape;
        let mut lines = Lines::default();
        let mut first = 0;
        for tile_row in self.tile_rows.clone() {
            let image = shape.image_of(self.work.images, tile_row);
            let top = tile_row % shape.tile_rows() * SIDE;
            for row in top..top + shape.convolved_rows(tile_row) {
                lines.fill(shape, image, row);
                lines.neighbourhoods(before, (first, self.layout.tiles));
                first += shape.width;
            }
        }
    }

    /// ReLU and the maximum of pixels that are stored row by row.
    #[inline(always)]
    fn pool(&self, pixels: &[f32], maps: &mut [f32]) {
        let Shape { width, outputs, .. } = self.work.shape;
        let line = width * outputs;
        let map_line = width / 2 * outputs;
        for (rows, map) in pixels.chunks_exact(2 * line).zip(maps.chunks_exact_mut(map_line)) {
            for (place, value) in map.iter_mut().enumerate() {
                let left = place / outputs * 2 * outputs + place % outputs;
                let four = [left, left + outputs, left + line, left + line + outputs];
                *value = transform::max(four.map(|place| transform::relu(rows[place])));
            }
        }
    }

    #[inline(always)]
    fn transform_input(&self, before: &mut [f32]) {
        let shape = self.work.shape;
        let columns = shape.tile_columns();
        let length = self.layout.point_before();
        let has_whole_lanes = shape.inputs.is_multiple_of(LANES);
        let mut padded = [[ZERO; INPUT_SIDE]; INPUT_SIDE];
        let mut half = [[ZERO; INPUT_SIDE]; INPUT_SIDE];
        for (index, tile_row) in self.tile_rows.clone().enumerate() {
            let image = shape.image_of(self.work.images, tile_row);
            let top = tile_row % shape.tile_rows() * SIDE;
            for column in 0..columns {
                let places = shape.places((top, column * SIDE));
                for group in 0..self.layout.inputs / LANES {
                    let channel = group * LANES;
                    if !has_whole_lanes {
                        shape.fill(&mut padded, image, &places, channel);
                    }
                    let mut pixels = [[&ZERO; INPUT_SIDE]; INPUT_SIDE];
                    let rows = pixels.iter_mut().zip(&places).zip(&padded);
                    for ((pixels, places), padded) in rows {
                        for ((pixel, place), padded) in pixels.iter_mut().zip(places).zip(padded) {
                            if !has_whole_lanes {
                                *pixel = padded;
                            } else if *place != Shape::PADDING {
                                *pixel = lanes_at(image, place + channel);
                            }
                        }
                    }
                    let start = (group * self.layout.tiles + index * columns + column) * LANES;
                    transform::input(&pixels, &mut half, before, length, start);
                }
            }
        }
    }

    #[inline(always)]
    fn transform_output(&self, after: &[f32], bias: &[f32], maps: &mut [f32]) {
        let shape = self.work.shape;
        let outputs = shape.outputs;
        let columns = shape.tile_columns();
        let length = self.layout.point_after();
        let map_shape @ (map_width, _) = (shape.map_size().1, outputs);
        let mut half = [[ZERO; SIDE]; INPUT_SIDE];
        let mut made = [[ZERO; SIDE]; SIDE];
        let mut pooled = [[ZERO; SIDE / 2]; SIDE / 2];
        let mut rest = maps;
        for (index, tile_row) in self.tile_rows.clone().enumerate() {
            let rows = shape.map_rows(tile_row % shape.tile_rows()).len();
            let (maps, others) = std::mem::take(&mut rest).split_at_mut(rows * map_width * outputs);
            rest = others;
            for column in 0..columns {
                for channel in (0..outputs).step_by(LANES) {
                    let start = (index * columns + column) * outputs + channel;
                    let bias = lanes_at(bias, channel);
                    transform::output(after, length, start, &mut half, bias, &mut made);
                    match shape.then {
                        Epilogue::Relu => write(&made, maps, map_shape, column * SIDE, channel),
                        Epilogue::ReluMaxPool => {
                            transform::max_pool(&made, &mut pooled);
                            let left = column * (SIDE / 2);
                            write(&pooled, maps, map_shape, left, channel);
                        }
                    }
                }
            }
        }
    }
}

/// The values beyond an image's edge.
static ZERO: Lanes = [0.0; LANES];

#[inline(always)]
fn lanes_at(values: &[f32], place: usize) -> &Lanes {
    values[place..].first_chunk().expect("channels are whole lanes")
}

/// Writes the lanes from `channel` on, for pixels within the map: rows below and columns right of
/// it are left out.
#[inline(always)]
fn write<const PIXELS: usize>(
    pixels: &[[Lanes; PIXELS]; PIXELS],
    maps: &mut [f32],
    shape: (usize, usize),
    left: usize,
    channel: usize,
) {
    let (map_width, outputs) = shape;
    for (row, map) in pixels.iter().zip(maps.chunks_exact_mut(map_width * outputs)) {
        for (lanes, x) in row.iter().zip(left..map_width) {
            let place = x * outputs + channel;
            map[place..place + LANES].copy_from_slice(lanes);
        }
    }
}
