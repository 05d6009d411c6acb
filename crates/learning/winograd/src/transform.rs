//! The transforms of Lavin & Gray, CVPR 2016, equation 16, for 4×4 outputs and 3×3 kernels.

/// Outputs of a tile, along a side.
pub(crate) const SIDE: usize = 4;

/// Inputs of a tile, along a side.
pub(crate) const INPUT_SIDE: usize = 6;

/// Points at which a tile is multiplied.
pub(crate) const POINTS: usize = INPUT_SIDE * INPUT_SIDE;

/// Channels that are transformed at once.
pub(crate) const LANES: usize = 16;

/// One value of each of so many channels.
pub(crate) type Lanes = [f32; LANES];

/// Memory for `Bᵀ d`, row by row. Clearing it for every tile would take as long as filling it.
pub(crate) type InputHalf = [[Lanes; INPUT_SIDE]; INPUT_SIDE];

/// Memory for `Aᵀ m`, column by column.
pub(crate) type OutputHalf = [[Lanes; SIDE]; INPUT_SIDE];

/// `G g Gᵀ`: a 3×3 kernel at the 36 points, rounded once.
pub(crate) fn kernel(kernel: &[f32; 9]) -> [f32; POINTS] {
    let along = |g: [f64; 3]| -> [f64; INPUT_SIDE] {
        let [a, b, c] = g;
        [
            a / 4.0,
            -(a + b + c) / 6.0,
            -(a - b + c) / 6.0,
            a / 24.0 + b / 12.0 + c / 6.0,
            a / 24.0 - b / 12.0 + c / 6.0,
            c,
        ]
    };
    let value = |row: usize, column: usize| f64::from(kernel[row * 3 + column]);
    let columns: [_; 3] =
        std::array::from_fn(|column| along([0, 1, 2].map(|row| value(row, column))));
    let mut points = [0.0; POINTS];
    for row in 0..INPUT_SIDE {
        for (column, point) in along(columns.map(|column| column[row])).into_iter().enumerate() {
            points[row * INPUT_SIDE + column] = point as f32;
        }
    }
    points
}

/// `Bᵀ d B`: a tile of 6×6 pixels at the 36 points. Each point's lanes go to `start` of its chunk of
/// `point_length` values.
#[inline(always)]
pub(crate) fn input(
    pixels: &[[&Lanes; INPUT_SIDE]; INPUT_SIDE],
    half: &mut InputHalf,
    points: &mut [f32],
    point_length: usize,
    start: usize,
) {
    for column in 0..INPUT_SIDE {
        for i in 0..LANES {
            let at = |row: usize| pixels[row][column][i];
            let made = input_along([at(0), at(1), at(2), at(3), at(4), at(5)]);
            for row in 0..INPUT_SIDE {
                half[row][column][i] = made[row];
            }
        }
    }
    let mut made = [[0.0; LANES]; INPUT_SIDE];
    for (row, half) in half.iter().enumerate() {
        for i in 0..LANES {
            let at = |column: usize| half[column][i];
            let along = input_along([at(0), at(1), at(2), at(3), at(4), at(5)]);
            for (made, along) in made.iter_mut().zip(along) {
                made[i] = along;
            }
        }
        for (column, lanes) in made.iter().enumerate() {
            let place = (row * INPUT_SIDE + column) * point_length + start;
            points[place..place + LANES].copy_from_slice(lanes);
        }
    }
}

#[inline(always)]
fn input_along(d: [f32; INPUT_SIDE]) -> [f32; INPUT_SIDE] {
    let even = d[4] - 4.0 * d[2];
    let odd = d[3] - 4.0 * d[1];
    let even_far = d[4] - d[2];
    let odd_far = 2.0 * (d[3] - d[1]);
    [
        4.0 * d[0] - 5.0 * d[2] + d[4],
        even + odd,
        even - odd,
        even_far + odd_far,
        even_far - odd_far,
        4.0 * d[1] - 5.0 * d[3] + d[5],
    ]
}

/// `Aᵀ m A`, bias and ReLU: from the 36 points to 4×4 outputs. Each point's lanes are at `start` of
/// its chunk of `point_length` values.
#[inline(always)]
pub(crate) fn output(
    points: &[f32],
    point_length: usize,
    start: usize,
    half: &mut OutputHalf,
    bias: &Lanes,
    outputs: &mut [[Lanes; SIDE]; SIDE],
) {
    let point = |row: usize, column: usize| -> &Lanes {
        points[(row * INPUT_SIDE + column) * point_length + start..]
            .first_chunk()
            .expect("channels out are whole panels")
    };
    for (column, half) in half.iter_mut().enumerate() {
        let (a, b, c) = (point(0, column), point(1, column), point(2, column));
        let (d, e, f) = (point(3, column), point(4, column), point(5, column));
        for i in 0..LANES {
            let made = output_along([a[i], b[i], c[i], d[i], e[i], f[i]]);
            for (half, made) in half.iter_mut().zip(made) {
                half[i] = made;
            }
        }
    }
    for (row, outputs) in outputs.iter_mut().enumerate() {
        for i in 0..LANES {
            let at = |column: usize| half[column][row][i];
            let made = output_along([at(0), at(1), at(2), at(3), at(4), at(5)]);
            for (output, made) in outputs.iter_mut().zip(made) {
                output[i] = relu(made + bias[i]);
            }
        }
    }
}

/// A NaN stays a NaN, as in libtorch; `f32::max` would hide it.
#[inline(always)]
pub(crate) fn relu(value: f32) -> f32 {
    if value <= 0.0 { 0.0 } else { value }
}

/// The 2×2 maximum with stride 2 of the output of [`relu`].
#[inline(always)]
pub(crate) fn max_pool(pixels: &[[Lanes; SIDE]; SIDE], pooled: &mut [[Lanes; SIDE / 2]; SIDE / 2]) {
    for (y, row) in pooled.iter_mut().enumerate() {
        for (x, pooled) in row.iter_mut().enumerate() {
            for i in 0..LANES {
                let at = |dy: usize, dx: usize| pixels[2 * y + dy][2 * x + dx][i];
                pooled[i] = max([at(0, 0), at(0, 1), at(1, 0), at(1, 1)]);
            }
        }
    }
}

/// The largest of four outputs of [`relu`].
#[inline(always)]
pub(crate) fn max(four: [f32; 4]) -> f32 {
    // As bits, numbers that are not negative are in order, and a NaN is above all.
    let [a, b, c, d] = four.map(f32::to_bits);
    f32::from_bits(a.max(b).max(c.max(d)))
}

#[inline(always)]
fn output_along(m: [f32; INPUT_SIDE]) -> [f32; SIDE] {
    let (sum, difference) = (m[1] + m[2], m[1] - m[2]);
    let (far_sum, far_difference) = (m[3] + m[4], m[3] - m[4]);
    [
        m[0] + sum + far_sum,
        difference + 2.0 * far_difference,
        sum + 4.0 * far_sum,
        difference + 8.0 * far_difference + m[5],
    ]
}
