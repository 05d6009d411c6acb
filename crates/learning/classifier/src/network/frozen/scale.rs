//! The parts of maps that heads read, as [`super::super::take`] computes them from libtorch's.

use rayon::prelude::*;
use tch::Tensor;

use super::shape::Shape;
use crate::Result;
use crate::architecture::{MULTI_SCALE_CELLS, MapSummary};

/// The 4×4 average pooling and the population standard deviation of each channel of maps
/// `[N, H, W, C]`: `[N, 17·C]`; cells first, channel by channel, then deviations.
pub(super) fn cells_and_deviations(maps: &[f32], shape: Shape) -> Result<Tensor> {
    let length = MapSummary::CellsAndDeviations.values(shape.channels);
    let mut taken = vec![0.0; shape.images * length];
    let image = shape.height * shape.width * shape.channels;
    let images = maps.par_chunks_exact(image);
    taken.par_chunks_exact_mut(length).zip(images).for_each(|(taken, maps)| {
        let (cells, deviations) = taken.split_at_mut(length - shape.channels);
        average_cells(maps, shape, cells);
        deviate(maps, shape, &mean_of_channels(maps, shape), deviations);
    });
    Ok(Tensor::f_from_slice(&taken)?.f_reshape([shape.images as i64, length as i64])?)
}

/// The mean of each channel of maps `[N, H, W, C]`, then the population standard deviation of each:
/// `[N, 2·C]`.
pub(super) fn statistics(maps: &[f32], shape: Shape) -> Result<Tensor> {
    let length = MapSummary::Statistics.values(shape.channels);
    let mut taken = vec![0.0; shape.images * length];
    let image = shape.height * shape.width * shape.channels;
    taken.par_chunks_exact_mut(length).zip(maps.par_chunks_exact(image)).for_each(
        |(taken, maps)| {
            let (means, deviations) = taken.split_at_mut(shape.channels);
            means.copy_from_slice(&mean_of_channels(maps, shape));
            deviate(maps, shape, means, deviations);
        },
    );
    Ok(Tensor::f_from_slice(&taken)?.f_reshape([shape.images as i64, length as i64])?)
}

/// The mean of each channel of one image's maps.
fn mean_of_channels(maps: &[f32], shape: Shape) -> Vec<f32> {
    let pixels = (shape.height * shape.width) as f64;
    let totals = add_up(maps, shape, &vec![0.0; shape.channels], |value, _| value);
    totals.iter().map(|total| (total / pixels) as f32).collect()
}

/// Cells of uneven sizes overlap, as in torch.nn.AdaptiveAvgPool2d.
fn average_cells(maps: &[f32], shape: Shape, cells: &mut [f32]) {
    const CELLS: usize = MULTI_SCALE_CELLS;
    let span = |cell: usize, size: usize| cell * size / CELLS..((cell + 1) * size).div_ceil(CELLS);
    let mut sums = vec![0.0_f32; shape.channels];
    for cell in 0..CELLS * CELLS {
        let (rows, columns) = (span(cell / CELLS, shape.height), span(cell % CELLS, shape.width));
        sums.fill(0.0);
        for row in rows.clone() {
            let start = (row * shape.width + columns.start) * shape.channels;
            let line = &maps[start..][..columns.len() * shape.channels];
            for pixel in line.chunks_exact(shape.channels) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
            }
        }
        let pixels = (rows.len() * columns.len()) as f32;
        for (channel, sum) in sums.iter().enumerate() {
            cells[channel * CELLS * CELLS + cell] = sum / pixels;
        }
    }
}

/// In two passes, so that no precision is lost if a mean is far larger than the deviation.
fn deviate(maps: &[f32], shape: Shape, means: &[f32], deviations: &mut [f32]) {
    let pixels = (shape.height * shape.width) as f64;
    let squares = add_up(maps, shape, means, |value, mean| (value - mean) * (value - mean));
    for (deviation, squares) in deviations.iter_mut().zip(squares) {
        *deviation = (squares / pixels).sqrt() as f32;
    }
}

/// Each channel's sum over the pixels, of a term of the value and the channel's mean: rows in f32,
/// and their sums in f64.
fn add_up(maps: &[f32], shape: Shape, means: &[f32], term: impl Fn(f32, f32) -> f32) -> Vec<f64> {
    let mut sums = vec![0.0; shape.channels];
    let mut row_sums = vec![0.0_f32; shape.channels];
    for row in maps.chunks_exact(shape.width * shape.channels) {
        row_sums.fill(0.0);
        for pixel in row.chunks_exact(shape.channels) {
            for ((sum, value), mean) in row_sums.iter_mut().zip(pixel).zip(means) {
                *sum += term(*value, *mean);
            }
        }
        sums.iter_mut().zip(&row_sums).for_each(|(sum, row)| *sum += f64::from(*row));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{take, to_host};

    #[test]
    fn the_same_is_taken_as_by_libtorch() {
        for (height, width, channels) in [(4, 4, 3), (7, 7, 16), (14, 9, 5), (1, 1, 2), (2, 3, 1)] {
            let shape = Shape { images: 2, height, width, channels };
            let maps: Vec<f32> =
                (0..shape.values()).map(|at| 50.0 + (at as f32 * 0.37).sin()).collect();
            let tensor = Tensor::from_slice(&maps).reshape(shape.dimensions());
            let planes = tensor.permute([0, 3, 1, 2]);
            for (taken, found) in [
                (MapSummary::CellsAndDeviations, cells_and_deviations(&maps, shape)),
                (MapSummary::Statistics, statistics(&maps, shape)),
            ] {
                let expected = to_host(&take(&planes, taken).unwrap()).unwrap();
                let found = to_host(&found.unwrap()).unwrap();
                assert_eq!(found.shape(), expected.shape());
                for (found, expected) in found.values().iter().zip(expected.values()) {
                    let is_near = (found - expected).abs() < 2e-5;
                    assert!(is_near, "{shape:?} {taken:?}: {found} and not {expected}");
                }
            }
        }
    }
}
