//! Morphological opening: removes everything thin from a picture.

/// The grey opening of `levels`, rows of `width`, by a square of `2 × radius + 1` pixels: the
/// maximum over the square of the minimum over the square. At the border the square is cut off.
pub(super) fn open(levels: &[u8], width: usize, radius: usize) -> Vec<u8> {
    let eroded = over_square(levels, width, radius, u8::MAX, u8::min);
    over_square(&eroded, width, radius, u8::MIN, u8::max)
}

/// `pick` over the square around each pixel; `neutral` does not affect `pick`.
fn over_square(
    levels: &[u8],
    width: usize,
    radius: usize,
    neutral: u8,
    pick: impl Fn(u8, u8) -> u8 + Copy,
) -> Vec<u8> {
    let padded_width = width + 2 * radius;
    let mut padded = vec![neutral; padded_width * (levels.len() / width + 2 * radius)];
    let rows = padded.chunks_exact_mut(padded_width).skip(radius);
    for (row, levels) in rows.zip(levels.chunks_exact(width)) {
        row[radius..radius + width].copy_from_slice(levels);
    }
    // Windows that leave their row on the right start beyond `width`, where nothing is read.
    let window = 2 * radius + 1;
    let over_rows = over_window(padded, 1, window, pick);
    let over_both = over_window(over_rows, padded_width, window, pick);
    let rows = over_both.chunks_exact(padded_width).take(levels.len() / width);
    rows.flat_map(|row| &row[..width]).copied().collect()
}

/// `pick` over the `window` values that lie `stride` apart, from each value on, by doubling: a
/// result that covers `n` of them, paired with a later one, covers up to `2n`.
fn over_window(
    mut levels: Vec<u8>,
    stride: usize,
    window: usize,
    pick: impl Fn(u8, u8) -> u8,
) -> Vec<u8> {
    let mut paired = levels.clone();
    let mut covered = 1;
    while covered < window {
        let step = covered.min(window - covered);
        let further_on = &levels[step * stride..];
        for (paired, (near, far)) in paired.iter_mut().zip(levels.iter().zip(further_on)) {
            *paired = pick(*near, *far);
        }
        std::mem::swap(&mut levels, &mut paired);
        covered += step;
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, pixel by pixel.
    fn slowly(levels: &[u8], width: usize, radius: usize, pick: fn(u8, u8) -> u8) -> Vec<u8> {
        let (radius, width, height) = (radius as i64, width as i64, (levels.len() / width) as i64);
        let at = |x: i64, y: i64| levels[(y * width + x) as usize];
        let mut result = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let rows = (y - radius).max(0)..=(y + radius).min(height - 1);
                let square = rows.flat_map(|row| {
                    ((x - radius).max(0)..=(x + radius).min(width - 1)).map(move |col| (col, row))
                });
                result.push(square.map(|(col, row)| at(col, row)).reduce(pick).unwrap());
            }
        }
        result
    }

    #[test]
    fn opening_is_what_its_definition_gives() {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for (width, height, radius) in [(9, 7, 2), (40, 33, 3), (70, 5, 4), (3, 3, 2)] {
            let levels: Vec<u8> = (0..width * height).map(|_| next()).collect();
            let eroded = slowly(&levels, width, radius, u8::min);
            let expected = slowly(&eroded, width, radius, u8::max);
            assert_eq!(open(&levels, width, radius), expected, "{width}×{height}, {radius}");
        }
    }

    #[test]
    fn a_thin_line_goes_and_a_square_stays() {
        let mut levels = vec![10_u8; 20 * 20];
        for y in 2..18 {
            levels[y * 20 + 3] = 200;
        }
        for at in (0..7).flat_map(|y| (0..7).map(move |x| (y + 8) * 20 + x + 10)) {
            levels[at] = 200;
        }
        let opened = open(&levels, 20, 2);
        assert_eq!(opened[9 * 20 + 3], 10);
        assert_eq!(opened[8 * 20 + 10], 200);
    }
}
