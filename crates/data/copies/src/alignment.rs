//! The exact position of one picture in another.

use crate::Frame;
use crate::plane::Plane;

/// Blur before pictures are aligned, in pixels: with it, differences change evenly with the
/// position.
const BLUR: f32 = 1.0;

/// A border is moved by this much in one step at most, in shares of a side.
const LONGEST_STEP: f32 = 0.03;

/// A border may lie this far outside or inside of the other picture's.
const FARTHEST: f32 = 0.16;

/// The unknowns: four borders, contrast and brightness.
const UNKNOWNS: usize = 6;

/// The unknowns' derivatives, the remaining difference, and one empty place, so that a row fills
/// registers of eight.
type Row = [f32; 8];
const DIFFERENCE: usize = UNKNOWNS;

/// The condition for ending an alignment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AlignmentLimit {
    /// As many steps at most.
    pub(crate) steps: usize,
    /// A step that moves no border further than this, in shares of a side, is the last.
    pub(crate) last_step: f32,
}

/// Finds the frame in which `whole` shows `part`, up to contrast and brightness, starting from a
/// frame that is about right. `None` if there is none.
///
/// The Gauss-Newton method of Lucas and Kanade, forwards and additive (Baker and Matthews 2004),
/// with weights that fall with the difference (Cauchy's), so that a pen stroke on one of two copies
/// does not push them apart.
pub(crate) fn align(
    whole: &Plane,
    part: &Plane,
    start: Frame,
    effort: AlignmentLimit,
) -> Option<Frame> {
    let (whole, part) = (whole.blurred(BLUR), part.blurred(BLUR));
    let mut frame = start;
    for _ in 0..effort.steps {
        let step = step(&whole.framed(frame), &part, frame)?;
        let [left, top, right, bottom] = step.map(|s| s.clamp(-LONGEST_STEP, LONGEST_STEP));
        frame = Frame {
            left: frame.left + left,
            top: frame.top + top,
            right: frame.right + right,
            bottom: frame.bottom + bottom,
        };
        if frame.margins().into_iter().any(|margin| margin.abs() > FARTHEST) {
            return None;
        }
        if [left, top, right, bottom].into_iter().all(|moved| moved.abs() < effort.last_step) {
            break;
        }
    }
    Some(frame)
}

/// How far the left, top, right and bottom border should move.
fn step(shown: &Plane, part: &Plane, frame: Frame) -> Option<[f32; 4]> {
    let side = part.side();
    let inside = OverlapPixels::of(frame, side);
    let fit = GreyFit::between(shown, part, &inside)?;
    let share = |at: usize| (at as f32 + 0.5) / side as f32;
    let scale_x = side as f32 / frame.width();
    let scale_y = side as f32 / frame.height();
    let (shown, part) = (shown.values(), part.values());

    let mut sums = [[0.0_f64; 8]; UNKNOWNS];
    for y in inside.rows.clone() {
        let mut of_row = [[0.0_f32; 8]; UNKNOWNS];
        for x in inside.columns.clone() {
            let at = y * side + x;
            let slope_x = 0.5 * fit.contrast * scale_x * (shown[at + 1] - shown[at - 1]);
            let slope_y = 0.5 * fit.contrast * scale_y * (shown[at + side] - shown[at - side]);
            let difference = part[at] - (fit.contrast * shown[at] + fit.brightness);
            let (u, v) = (share(x), share(y));
            let row: Row = [
                slope_x * (1.0 - u),
                slope_y * (1.0 - v),
                slope_x * u,
                slope_y * v,
                shown[at],
                1.0,
                difference,
                0.0,
            ];
            let weight = fit.weight(difference);
            for (sums, derivative) in of_row.iter_mut().zip(row) {
                let weighted = weight * derivative;
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weighted * value);
            }
        }
        for (sums, of_row) in sums.iter_mut().zip(of_row) {
            sums.iter_mut().zip(of_row).for_each(|(sum, value)| *sum += f64::from(value));
        }
    }
    let [left, top, right, bottom, ..] = solve(sums)?;
    Some([left, top, right, bottom])
}

/// The pixels of the part that the whole shows too, without its border, where it has no slope.
#[derive(Debug, Clone)]
pub(crate) struct OverlapPixels {
    pub(crate) columns: std::ops::Range<usize>,
    pub(crate) rows: std::ops::Range<usize>,
}

impl OverlapPixels {
    pub(crate) fn of(frame: Frame, side: usize) -> Self {
        let range = |start: f32, end: f32| {
            let first = (-start / (end - start) * side as f32).ceil().max(0.0) as usize;
            let last = ((1.0 - start) / (end - start) * side as f32).min(side as f32) as usize;
            let first = (first + 1).min(side);
            first..last.saturating_sub(1).max(first)
        };
        Self { columns: range(frame.left, frame.right), rows: range(frame.top, frame.bottom) }
    }
}

/// The straight line from one picture's grey to the other's, and the distance of the pixels from
/// it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GreyFit {
    pub(crate) contrast: f32,
    pub(crate) brightness: f32,
    spread: f32,
}

impl GreyFit {
    /// Least squares over pixels inside. `None` if there is no structure, or one picture is the
    /// other's negative.
    pub(crate) fn between(shown: &Plane, part: &Plane, inside: &OverlapPixels) -> Option<Self> {
        let side = part.side();
        let cells = || {
            let columns = inside.columns.clone();
            inside.rows.clone().flat_map(move |y| columns.clone().map(move |x| y * side + x))
        };
        Self::over(cells().map(|at| (shown.values()[at], part.values()[at])))
    }

    /// Least squares of the second value as a line of the first.
    pub(crate) fn over(values: impl Iterator<Item = (f32, f32)> + Clone) -> Option<Self> {
        let (mut n, mut x, mut y, mut xx, mut xy) = (0.0_f64, 0.0, 0.0, 0.0, 0.0);
        for (a, b) in values.clone() {
            let (a, b) = (f64::from(a), f64::from(b));
            n += 1.0;
            x += a;
            y += b;
            xx += a * a;
            xy += a * b;
        }
        let contrast = (n * xy - x * y) / (n * xx - x * x);
        if !contrast.is_finite() || contrast <= 0.0 {
            return None;
        }
        let brightness = (y - contrast * x) / n;
        let (contrast, brightness) = (contrast as f32, brightness as f32);
        let left: f64 = values.map(|(a, b)| f64::from((b - contrast * a - brightness).abs())).sum();
        Some(Self { contrast, brightness, spread: (left / n) as f32 })
    }

    /// Cauchy's weight of a difference: half at three times the mean one.
    fn weight(self, difference: f32) -> f32 {
        let relative = difference / (3.0 * self.spread + 1e-4);
        1.0 / (1.0 + relative * relative)
    }
}

/// Gaussian elimination of six equations; the right side follows the matrix. `None` if they are not
/// independent.
fn solve(mut rows: [[f64; 8]; UNKNOWNS]) -> Option<[f32; UNKNOWNS]> {
    for pivot in 0..UNKNOWNS {
        // the matrix is symmetric and positive: no need to look for a better row
        let scale = rows[pivot][pivot];
        if !scale.is_finite() || scale <= 1e-9 {
            return None;
        }
        let pivot_row = rows[pivot];
        for (at, row) in rows.iter_mut().enumerate() {
            if at != pivot {
                let factor = row[pivot] / scale;
                row.iter_mut().zip(pivot_row).for_each(|(value, p)| *value -= factor * p);
            }
        }
    }
    Some(std::array::from_fn(|at| (rows[at][DIFFERENCE] / rows[at][at]) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::textures::Texture;

    const EFFORT: AlignmentLimit = AlignmentLimit { steps: 12, last_step: 1e-4 };

    fn distance(a: Frame, b: Frame) -> f32 {
        let borders = a.margins().into_iter().zip(b.margins());
        borders.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_crop_is_found_to_a_tenth_of_a_pixel() {
        let frame = Frame { left: 0.04, top: 0.01, right: 0.97, bottom: 0.985 };
        let texture = Texture::new(1);
        let (whole, part) = (texture.plane(Frame::WHOLE), texture.plane(frame));
        let found = align(&whole, &part, Frame::WHOLE, EFFORT).unwrap();
        assert!(distance(found, frame) < 0.1 / 88.0, "{found:?}");
    }

    #[test]
    fn a_picture_that_reaches_beyond_the_other_is_found() {
        let frame = Frame { left: -0.03, top: 0.02, right: 0.98, bottom: 1.04 };
        let texture = Texture::new(2);
        let (whole, part) = (texture.plane(Frame::WHOLE), texture.plane(frame));
        let found = align(&whole, &part, Frame::WHOLE, EFFORT).unwrap();
        assert!(distance(found, frame) < 0.3 / 88.0, "{found:?}");
    }

    #[test]
    fn contrast_brightness_and_a_stroke_do_not_push_pictures_apart() {
        let texture = Texture::new(3);
        let whole = texture.plane(Frame::WHOLE);
        let mut values: Vec<f32> = whole.values().iter().map(|v| 0.6 * v + 0.3).collect();
        (0..60).for_each(|at| values[(at + 10) * 88 + at] = 1.0);
        let part = Plane::new(88, values);
        let start = Frame { left: 0.02, top: -0.02, right: 1.0, bottom: 1.01 };
        let found = align(&whole, &part, start, EFFORT).unwrap();
        assert!(distance(found, Frame::WHOLE) < 0.1 / 88.0, "{found:?}");
    }

    #[test]
    fn there_is_no_frame_without_structure_or_in_a_negative() {
        let whole = Texture::new(4).plane(Frame::WHOLE);
        let flat = Plane::new(88, vec![0.5; 88 * 88]);
        let negative = Plane::new(88, whole.values().iter().map(|value| 1.0 - value).collect());
        assert_eq!(align(&flat, &whole, Frame::WHOLE, EFFORT), None);
        assert_eq!(align(&whole, &negative, Frame::WHOLE, EFFORT), None);
    }

    #[test]
    fn a_line_through_points_is_fitted() {
        let fit = GreyFit::over([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)].into_iter()).unwrap();
        assert_eq!((fit.contrast, fit.brightness), (2.0, 1.0));
        // the mean difference of 0, 0, 3 and 0, 0, 3 from 1: 4/3; half the weight at three times it
        let fit = GreyFit { contrast: 0.0, brightness: 1.0, spread: 4.0 / 3.0 };
        assert!((fit.weight(4.0) - 0.5).abs() < 1e-4);
        assert_eq!(fit.weight(0.0), 1.0);
    }

    #[test]
    fn inside_is_what_both_show_but_for_one_pixel_around() {
        let whole = OverlapPixels::of(Frame::WHOLE, 10);
        assert_eq!((whole.columns, whole.rows), (1..9, 1..9));
        // the part is a quarter wider: its left fifth is not in the whole
        let wider = OverlapPixels::of(Frame { left: -0.25, ..Frame::WHOLE }, 10);
        assert_eq!((wider.columns, wider.rows), (3..9, 1..9));
    }

    #[test]
    fn six_equations_are_solved() {
        // 2 on the diagonal, 1 beside it; the unknowns are 1 … 6
        let mut rows = [[0.0; 8]; UNKNOWNS];
        for (at, row) in rows.iter_mut().enumerate() {
            (0..UNKNOWNS).for_each(|column| {
                row[column] = [2.0, 1.0].get(at.abs_diff(column)).copied().unwrap_or(0.0);
            });
            row[DIFFERENCE] = (0..UNKNOWNS).map(|column| row[column] * (column + 1) as f64).sum();
        }
        let solved = solve(rows).unwrap();
        solved.into_iter().zip(1_u8..).for_each(|(a, b)| assert!((a - f32::from(b)).abs() < 1e-5));
        assert_eq!(solve([[1.0; 8]; UNKNOWNS]), None);
    }
}
