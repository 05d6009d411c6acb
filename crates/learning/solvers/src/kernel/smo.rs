//! One support vector machine between two classes, solved by sequential minimal optimisation.
//!
//! The dual problem, with `βᵢ = yᵢ αᵢ` in `[0, C]` for the first class (`y = 1`) and in `[−C, 0]`
//! for the second (`y = −1`):
//!
//! ```text
//! minimise  ½ βᵀ K β − yᵀ β    where  Σ β = 0
//! ```
//!
//! Each step moves one `β` up and another down by the same amount. The two are chosen by
//! second-order information: Fan, Chen & Lin 2005, "Working Set Selection Using Second Order
//! Information for Training Support Vector Machines", the rule of LIBSVM. The stopping condition
//! and the offset are also LIBSVM's, with a smaller tolerance. There is no shrinking: whole rows of
//! the kernel matrix are available.

use std::ops::Range;

use crate::{Error, Result};

/// How far the optimality conditions may be violated: by how much two decision values of one pair
/// may disagree on the offset. LIBSVM and scikit-learn allow 1e-3; with that, the sums over pairs
/// depend in their third digit on where a solution started.
pub(super) const TOLERANCE: f64 = 1e-4;

/// Used for a curvature of zero: two images with the same features.
const SMALLEST_CURVATURE: f64 = 1e-12;

/// Steps allowed for each image; never fewer than ten million.
const STEPS_PER_IMAGE: usize = 100;

/// A kernel matrix `[size, size]` of all images, and the two classes that are compared.
#[derive(Debug, Clone)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) size: usize,
    pub(super) first: Range<usize>,
    pub(super) second: Range<usize>,
}

/// Dual variables of two classes, the first class's before the second's.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    first: usize,
    beta: Vec<f64>,
    /// `yᵢ − Σⱼ Kᵢⱼ βⱼ`: the shortfall of the decision value without offset.
    short: Vec<f64>,
    offset: f64,
}

impl Matrix<'_> {
    /// The row of an image of the pair, in the two parts.
    fn row(&self, place: usize) -> (&[f32], &[f32]) {
        let all = &self.values[self.image(place) * self.size..][..self.size];
        (&all[self.first.clone()], &all[self.second.clone()])
    }

    fn image(&self, place: usize) -> usize {
        let first = self.first.len();
        if place < first { self.first.start + place } else { self.second.start + place - first }
    }

    fn diagonal(&self, place: usize) -> f64 {
        f64::from(self.values[self.image(place) * (self.size + 1)])
    }
}

/// The image whose `β` should rise most, and its shortfall.
#[derive(Debug, Clone, Copy)]
struct Highest {
    place: usize,
    short: f64,
}

impl Pair {
    pub(super) fn new(first: usize, second: usize) -> Self {
        let short = [vec![1.0; first], vec![-1.0; second]].concat();
        Self { first, beta: vec![0.0; first + second], short, offset: 0.0 }
    }

    /// The dual variables with their signs, and the offset: the decision value is
    /// `Σ βᵢ k(xᵢ, x) + offset`, positive for the first class.
    pub(super) fn solution(&self) -> (&[f64], f64) {
        (&self.beta, self.offset)
    }

    /// Solves for bounds of the two classes, starting from the last solution: bounds may have grown
    /// since, not shrunk, and the matrix is the same.
    pub(super) fn solve(&mut self, matrix: &Matrix<'_>, bounds: [f64; 2]) -> Result<()> {
        let limit = (STEPS_PER_IMAGE * self.beta.len()).max(10_000_000);
        for _ in 0..limit {
            let Some(highest) = self.highest(bounds) else {
                return Ok(());
            };
            let (lowest, partner) = self.partner(matrix, bounds, highest);
            let violation = highest.short - lowest;
            match partner {
                Some(partner) if violation >= TOLERANCE => {
                    self.step(matrix, bounds, highest.place, partner);
                }
                _ => {
                    self.offset = self.offset_between(bounds, highest.short, lowest);
                    return Ok(());
                }
            }
        }
        let left = self.violation(bounds);
        let what = "support vector machine";
        Err(Error::NotSolved { what, steps: limit, left, allowed: TOLERANCE })
    }

    /// The allowed range of `β`.
    fn limits(&self, place: usize, bounds: [f64; 2]) -> (f64, f64) {
        if place < self.first { (0.0, bounds[0]) } else { (-bounds[1], 0.0) }
    }

    fn highest(&self, bounds: [f64; 2]) -> Option<Highest> {
        let mut highest: Option<Highest> = None;
        for (place, (&beta, &short)) in self.beta.iter().zip(&self.short).enumerate() {
            let may_rise = beta < self.limits(place, bounds).1;
            if may_rise && highest.is_none_or(|highest| short > highest.short) {
                highest = Some(Highest { place, short });
            }
        }
        highest
    }

    /// Of the images whose `β` may fall: the lowest shortfall, and the image with which a step
    /// gains most.
    fn partner(
        &self,
        matrix: &Matrix<'_>,
        bounds: [f64; 2],
        highest: Highest,
    ) -> (f64, Option<usize>) {
        let (first, second) = matrix.row(highest.place);
        let own = matrix.diagonal(highest.place);
        let mut lowest = f64::INFINITY;
        let (mut gain, mut partner) = (0.0, None);
        for (place, kernel) in first.iter().chain(second).enumerate() {
            if self.beta[place] <= self.limits(place, bounds).0 {
                continue;
            }
            let short = self.short[place];
            lowest = lowest.min(short);
            let difference = highest.short - short;
            if difference > 0.0 {
                let curvature = own + matrix.diagonal(place) - 2.0 * f64::from(*kernel);
                let of_this = difference * difference / curvature.max(SMALLEST_CURVATURE);
                if of_this > gain {
                    (gain, partner) = (of_this, Some(place));
                }
            }
        }
        (lowest, partner)
    }

    fn step(&mut self, matrix: &Matrix<'_>, bounds: [f64; 2], up: usize, down: usize) {
        let (up_first, up_second) = matrix.row(up);
        let (down_first, down_second) = matrix.row(down);
        let between = if down < self.first { up_first[down] } else { up_second[down - self.first] };
        let curvature = matrix.diagonal(up) + matrix.diagonal(down) - 2.0 * f64::from(between);
        let wanted = (self.short[up] - self.short[down]) / curvature.max(SMALLEST_CURVATURE);
        let room_up = self.limits(up, bounds).1 - self.beta[up];
        let room_down = self.beta[down] - self.limits(down, bounds).0;
        let by = wanted.min(room_up).min(room_down);
        // Exactly the bound if it is reached, so that no rounding leaves it just inside.
        let at_top = by == room_up;
        let at_bottom = by == room_down;
        self.beta[up] = if at_top { self.limits(up, bounds).1 } else { self.beta[up] + by };
        self.beta[down] =
            if at_bottom { self.limits(down, bounds).0 } else { self.beta[down] - by };
        let (first, second) = self.short.split_at_mut(self.first);
        fall(first, up_first, down_first, by);
        fall(second, up_second, down_second, by);
    }

    /// The offset at which the images that are not at a bound lie on their margin, on average; half
    /// way between the allowed limits if there are none.
    fn offset_between(&self, bounds: [f64; 2], highest: f64, lowest: f64) -> f64 {
        let (mut sum, mut free) = (0.0, 0_usize);
        for (place, (&beta, &short)) in self.beta.iter().zip(&self.short).enumerate() {
            let (low, high) = self.limits(place, bounds);
            if beta > low && beta < high {
                sum += short;
                free += 1;
            }
        }
        if free > 0 { sum / free as f64 } else { f64::midpoint(highest, lowest) }
    }

    fn violation(&self, bounds: [f64; 2]) -> f64 {
        let may_fall = |place: usize| self.beta[place] > self.limits(place, bounds).0;
        let falling = (0..self.beta.len()).filter(|place| may_fall(*place));
        let lowest = falling.map(|place| self.short[place]).fold(f64::INFINITY, f64::min);
        self.highest(bounds).map_or(0.0, |highest| highest.short - lowest)
    }
}

fn fall(short: &mut [f64], up: &[f32], down: &[f32], by: f64) {
    for (short, (up, down)) in short.iter_mut().zip(up.iter().zip(down)) {
        *short -= by * (f64::from(*up) - f64::from(*down));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dual objective, computed directly from its definition.
    fn objective(matrix: &[f32], beta: &[f64], signs: &[f64]) -> f64 {
        let size = beta.len();
        let entry = |i: usize, j: usize| beta[i] * beta[j] * f64::from(matrix[i * size + j]);
        let bent: f64 =
            (0..size).flat_map(|i| (0..size).map(move |j| (i, j))).map(|(i, j)| entry(i, j)).sum();
        bent / 2.0 - beta.iter().zip(signs).map(|(beta, sign)| beta * sign).sum::<f64>()
    }

    /// A kernel matrix of points on a line, of which the first three are of the first class.
    fn on_a_line(points: [f32; 6]) -> Vec<f32> {
        let of = |a: f32| points.map(|b| (-(a - b) * (a - b)).exp());
        points.iter().flat_map(|a| of(*a)).collect()
    }

    #[test]
    fn no_exchange_between_two_images_lowers_the_dual() {
        let values = on_a_line([0.0, 0.4, 1.1, 0.7, 1.9, 2.5]);
        let matrix = Matrix { values: &values, size: 6, first: 0..3, second: 3..6 };
        let signs = [1.0, 1.0, 1.0, -1.0, -1.0, -1.0];
        for bounds in [[0.3, 0.3], [5.0, 5.0], [1.0, 8.0]] {
            let mut pair = Pair::new(3, 3);
            pair.solve(&matrix, bounds).unwrap();
            let (beta, _) = pair.solution();
            assert!(beta.iter().sum::<f64>().abs() < 1e-12);
            let least = objective(&values, beta, &signs);
            for (up, down) in (0..6).flat_map(|i| (0..6).map(move |j| (i, j))) {
                let mut moved = beta.to_vec();
                moved[up] += 1e-2;
                moved[down] -= 1e-2;
                let allowed = |place: usize| {
                    let (low, high) = pair.limits(place, bounds);
                    moved[place] >= low && moved[place] <= high
                };
                if up != down && allowed(up) && allowed(down) {
                    assert!(objective(&values, &moved, &signs) > least, "{up}, {down}");
                }
            }
        }
    }

    #[test]
    fn a_solution_that_is_carried_on_is_the_one_from_the_start() {
        let values = on_a_line([0.0, 0.4, 1.1, 0.7, 1.9, 2.5]);
        let matrix = Matrix { values: &values, size: 6, first: 0..3, second: 3..6 };
        let mut carried = Pair::new(3, 3);
        for strength in [0.1, 1.0, 4.0] {
            carried.solve(&matrix, [strength; 2]).unwrap();
        }
        let mut fresh = Pair::new(3, 3);
        fresh.solve(&matrix, [4.0; 2]).unwrap();
        for (a, b) in carried.solution().0.iter().zip(fresh.solution().0) {
            assert!((a - b).abs() < 1e-2, "{a}, {b}");
        }
        assert!((carried.solution().1 - fresh.solution().1).abs() < 10.0 * TOLERANCE);
    }
}
