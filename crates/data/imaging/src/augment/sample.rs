//! Bilinear sampling, with the edges of `scipy.ndimage.affine_transform(order=1)`.

use config::FillMode;

use super::AffineDraw;
use super::affine::Affine;

impl AffineDraw {
    /// Applies the drawn values to `[3, size, size]` planes: the affine map, then the flip.
    ///
    /// # Panics
    /// When `planes` does not hold `3 × size × size` values.
    pub fn apply(&self, planes: &[f32], size: u32, fill: FillMode, fill_value: f32) -> Vec<f32> {
        let size = size as usize;
        assert_eq!(planes.len(), 3 * size * size, "planes of [3, {size}, {size}]");
        let mut view = if (Self { horizontal_flip: false, ..*self }) == Self::IDENTITY {
            planes.to_vec()
        } else {
            seen_through(planes, size, &Affine::of(self, size), fill, fill_value)
        };
        if self.horizontal_flip && size > 0 {
            view.chunks_exact_mut(size).for_each(<[f32]>::reverse);
        }
        view
    }
}

/// Four neighbours and their weights; the same for each plane.
struct Taps {
    indices: [usize; 4],
    weights: [f32; 4],
}

/// `[3, size, size]` planes seen through `map`.
fn seen_through(
    planes: &[f32],
    size: usize,
    map: &Affine,
    fill: FillMode,
    fill_value: f32,
) -> Vec<f32> {
    let plane_length = size * size;
    let mut view = vec![fill_value; planes.len()];
    for row in 0..size {
        for column in 0..size {
            let Some(taps) = taps(map.apply([column as f64, row as f64]), size, fill) else {
                continue;
            };
            for (source, target) in
                planes.chunks_exact(plane_length).zip(view.chunks_exact_mut(plane_length))
            {
                let terms = taps.indices.iter().zip(taps.weights);
                target[row * size + column] = terms.map(|(&at, weight)| source[at] * weight).sum();
            }
        }
    }
    view
}

/// `None` if only the fill value is visible.
fn taps([x, y]: [f64; 2], size: usize, fill: FillMode) -> Option<Taps> {
    let last = size as f64 - 1.0;
    let inside = |at: f64| (0.0..=last).contains(&at);
    if fill == FillMode::Constant && !(inside(x) && inside(y)) {
        return None;
    }
    let ((left, right_weight), (top, bottom_weight)) = (cell(x), cell(y));
    let [x0, x1] = [left, left + 1].map(|at| neighbour(at, size, fill));
    let [y0, y1] = [top, top + 1].map(|at| neighbour(at, size, fill) * size);
    let (left_weight, top_weight) = (1.0 - right_weight, 1.0 - bottom_weight);
    Some(Taps {
        indices: [y0 + x0, y0 + x1, y1 + x0, y1 + x1],
        weights: [
            top_weight * left_weight,
            top_weight * right_weight,
            bottom_weight * left_weight,
            bottom_weight * right_weight,
        ],
    })
}

/// The whole number at or below, and the remainder. `f64::floor` is a function call on processors
/// without SSE 4.1, and this runs for every pixel.
fn cell(at: f64) -> (i64, f32) {
    let truncated = at as i64;
    let below = truncated - i64::from(at < truncated as f64);
    (below, (at - below as f64) as f32)
}

/// The pixel of a row or column for position `at`, which may lie outside.
fn neighbour(at: i64, size: usize, fill: FillMode) -> usize {
    let length = size as i64;
    if (0..length).contains(&at) {
        return at as usize;
    }
    let inside = match fill {
        // d c b a | a b c d | d c b a
        FillMode::Reflect => {
            let folded = at.rem_euclid(2 * length);
            if folded < length { folded } else { 2 * length - 1 - folded }
        }
        // a a a a | a b c d | d d d d; for a constant, only the neighbour past the last pixel is
        // outside, with weight zero.
        FillMode::Nearest | FillMode::Constant => at.clamp(0, length - 1),
    };
    inside as usize
}
