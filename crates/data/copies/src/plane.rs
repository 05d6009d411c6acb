use crate::{Frame, Symmetry};

/// A square grey picture, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Plane {
    side: usize,
    values: Vec<f32>,
}

impl Plane {
    pub(crate) fn new(side: usize, values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), side * side);
        Self { side, values }
    }

    pub(crate) fn side(&self) -> usize {
        self.side
    }

    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn turned(&self, symmetry: Symmetry) -> Self {
        Self { side: self.side, values: symmetry.turn(&self.values, self.side) }
    }

    /// Blurred by a Gaussian, `deviation` pixels wide; the border is mirrored.
    pub(crate) fn blurred(&self, deviation: f32) -> Self {
        let reach = (3.0 * deviation).ceil() as usize;
        let mut kernel: Vec<f32> = (0..=2 * reach)
            .map(|tap| {
                let away = tap.abs_diff(reach) as f32 / deviation;
                (-0.5 * away * away).exp()
            })
            .collect();
        let total: f32 = kernel.iter().sum();
        kernel.iter_mut().for_each(|weight| *weight /= total);
        let mirrored = |at: usize, tap: usize| match (at + tap).checked_sub(reach) {
            None => reach - (at + tap) - 1,
            Some(place) if place < self.side => place,
            Some(place) => 2 * self.side - 1 - place,
        };
        let taps: Vec<InterpolationWeights> = (0..self.side)
            .map(|at| InterpolationWeights {
                taps: kernel
                    .iter()
                    .enumerate()
                    .map(|(tap, weight)| (mirrored(at, tap), *weight))
                    .collect(),
            })
            .collect();
        self.combined(&taps, &taps)
    }

    /// Shrunk to `side`, by the triangle filter that [`imaging`] resizes with.
    pub(crate) fn shrunk(&self, side: usize) -> Self {
        if side == self.side {
            return self.clone();
        }
        let taps: Vec<InterpolationWeights> = (0..side)
            .map(|at| InterpolationWeights::triangle(self.side, [0.0, 1.0], side, at))
            .collect();
        self.combined(&taps, &taps)
    }

    /// The content of a frame, at the same number of pixels, interpolated by Catmull and Rom's
    /// cubic. The border is repeated beyond it.
    pub(crate) fn framed(&self, frame: Frame) -> Self {
        let columns: Vec<InterpolationWeights> = (0..self.side)
            .map(|at| InterpolationWeights::cubic(self.side, frame.left, frame.right, at))
            .collect();
        let rows: Vec<InterpolationWeights> = (0..self.side)
            .map(|at| InterpolationWeights::cubic(self.side, frame.top, frame.bottom, at))
            .collect();
        self.combined(&columns, &rows)
    }

    /// Subtracts the other picture, pixel by pixel.
    pub(crate) fn minus(mut self, other: &Self) -> Self {
        self.values.iter_mut().zip(&other.values).for_each(|(value, other)| *value -= other);
        self
    }

    /// Each column and each row as a weighted sum of columns and of rows.
    fn combined(&self, columns: &[InterpolationWeights], rows: &[InterpolationWeights]) -> Self {
        let down = weighted_rows(&self.values, self.side, rows);
        let across = weighted_rows(&transposed(&down, self.side), rows.len(), columns);
        Self { side: rows.len(), values: transposed(&across, rows.len()) }
    }
}

/// Sums of rows, `width` values long.
fn weighted_rows(values: &[f32], width: usize, sums: &[InterpolationWeights]) -> Vec<f32> {
    let mut out = vec![0.0; width * sums.len()];
    for (out, taps) in out.chunks_exact_mut(width).zip(sums) {
        // four at a time, as most sums have four: the row is written once, not four times
        let mut fours = taps.taps.chunks_exact(4);
        let row = |at: usize| &values[at * width..(at + 1) * width];
        for four in &mut fours {
            let [a, b, c, d] = [0, 1, 2, 3].map(|tap| four[tap]);
            let rows = row(a.0).iter().zip(row(b.0)).zip(row(c.0)).zip(row(d.0));
            for (out, (((in_a, in_b), in_c), in_d)) in out.iter_mut().zip(rows) {
                *out += (a.1 * in_a + b.1 * in_b) + (c.1 * in_c + d.1 * in_d);
            }
        }
        for (at, weight) in fours.remainder() {
            out.iter_mut().zip(row(*at)).for_each(|(out, value)| *out += weight * value);
        }
    }
    out
}

/// Rows of `width` values as columns.
fn transposed(values: &[f32], width: usize) -> Vec<f32> {
    let height = values.len() / width;
    let mut out = vec![0.0; values.len()];
    for (column, out) in out.chunks_exact_mut(height).enumerate() {
        let column = values[column..].iter().step_by(width);
        out.iter_mut().zip(column).for_each(|(out, value)| *out = *value);
    }
    out
}

/// Places along one axis, each with its weight.
#[derive(Debug, Clone)]
pub(crate) struct InterpolationWeights {
    taps: Vec<(usize, f32)>,
}

impl InterpolationWeights {
    /// The triangle filter, widened if the number of pixels falls: pixel `at` of `to` pixels that
    /// show the part of `from` pixels between two shares of them.
    pub(crate) fn triangle(from: usize, [start, end]: [f32; 2], to: usize, at: usize) -> Self {
        let scale = (end - start) * from as f32 / to as f32;
        let reach = scale.max(1.0);
        let middle = start * from as f32 + (at as f32 + 0.5) * scale;
        let first = (middle - reach + 0.5).max(0.0) as usize;
        let last = ((middle + reach + 0.5) as usize).min(from);
        let weight = |place: usize| (1.0 - ((place as f32 + 0.5 - middle) / reach).abs()).max(0.0);
        let total: f32 = (first..last).map(weight).sum();
        Self { taps: (first..last).map(|place| (place, weight(place) / total)).collect() }
    }

    fn cubic(side: usize, start: f32, end: f32, at: usize) -> Self {
        let place = (start + (end - start) * (at as f32 + 0.5) / side as f32) * side as f32 - 0.5;
        let (whole, t) = (place.floor(), place - place.floor());
        let weights = [
            ((2.0 - t) * t - 1.0) * t,
            (3.0 * t - 5.0) * t * t + 2.0,
            ((4.0 - 3.0 * t) * t + 1.0) * t,
            (t - 1.0) * t * t,
        ];
        let last = side as f32 - 1.0;
        let taps = weights.into_iter().enumerate().map(|(tap, weight)| {
            ((whole - 1.0 + tap as f32).clamp(0.0, last) as usize, 0.5 * weight)
        });
        Self { taps: taps.collect() }
    }

    /// Places with their weights.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.taps.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(side: usize, value: impl Fn(f32, f32) -> f32) -> Plane {
        let values = (0..side * side)
            .map(|cell| value((cell % side) as f32 + 0.5, (cell / side) as f32 + 0.5))
            .collect();
        Plane::new(side, values)
    }

    fn assert_close(values: &[f32], reference: &[f32], tolerance: f32) {
        for (value, reference) in values.iter().zip(reference) {
            assert!((value - reference).abs() <= tolerance, "{value} for {reference}");
        }
    }

    #[test]
    fn blur_is_scipys() {
        // a = [[0, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, 0], [0, 0, 0, 5]]
        // scipy.ndimage.gaussian_filter(a, 0.5, radius=2), first and last row
        let dots = plane(4, |x, y| match (x as u8, y as u8) {
            (1, 1) => 9.0,
            (3, 3) => 5.0,
            _ => 0.0,
        });
        let blurred = dots.blurred(0.5);
        assert_close(&blurred.values()[..4], &[0.102_492, 0.755_447, 0.102_239, 0.000_253], 1e-5);
        assert_close(&blurred.values()[12..], &[0.000_253, 0.003_046, 0.476_745, 3.987_438], 1e-5);
    }

    #[test]
    fn framing_a_straight_ramp_moves_and_stretches_it() {
        let ramp = plane(40, |x, y| 2.0 * x - y);
        let frame = Frame { left: 0.1, top: 0.2, right: 0.9, bottom: 0.8 };
        let framed = ramp.framed(frame);
        for (x, y) in [(0, 0), (7, 21), (39, 39)] {
            let from_x = 4.0 + (x as f32 + 0.5) * 0.8;
            let from_y = 8.0 + (y as f32 + 0.5) * 0.6;
            let value = framed.values()[y * 40 + x];
            assert!((value - (2.0 * from_x - from_y)).abs() < 1e-3, "{value}");
        }
    }

    #[test]
    fn the_whole_frame_is_the_plane_itself() {
        let texture = plane(9, |x, y| (x * 12.9 + y * 78.2).sin());
        assert_close(texture.framed(Frame::WHOLE).values(), texture.values(), 1e-5);
    }

    #[test]
    fn shrinking_keeps_the_mean() {
        let texture = plane(88, |x, y| (x * 0.3).sin() + (y * 0.2).cos());
        let mean = |plane: &Plane| plane.values().iter().sum::<f32>() / plane.values().len() as f32;
        let small = texture.shrunk(44);
        assert_eq!(small.side(), 44);
        assert!((mean(&small) - mean(&texture)).abs() < 0.01);
    }
}
