//! One support vector machine between two classes, solved by sequential minimal optimisation.
//!
//! The dual problem, with `βᵢ = yᵢ αᵢ` in `[0, C]` for the first class (`y = 1`) and in `[−C, 0]`
//! for the second (`y = −1`):
//!
//! ```text
//! minimise  ½ βᵀ K β − yᵀ β    where  Σ β = 0
//! ```
//!
//! Each step moves one `β` up and another down by as much. Which two is told by second-order
//! information: Fan, Chen & Lin 2005, "Working Set Selection Using Second Order Information for
//! Training Support Vector Machines", the rule of LIBSVM, whose stopping condition and offset these
//! are too. There is no shrinking: whole rows of the kernel matrix are at hand.

use std::ops::Range;

use crate::{Error, Result};

/// How far the optimality conditions may be violated, as in LIBSVM and scikit-learn.
pub(super) const TOLERANCE: f64 = 1e-3;

/// What a curvature of zero counts as: two images with the same features.
const SMALLEST_CURVATURE: f64 = 1e-12;

/// Steps that are allowed for each image; never fewer than ten million.
const STEPS_PER_IMAGE: usize = 100;

/// A kernel matrix `[size, size]` of all images, and the two parts of it that are told apart.
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
    /// `yᵢ − Σⱼ Kᵢⱼ βⱼ`: by how much the decision value without offset falls short.
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

/// The image whose `β` most wants to rise, and what it is short by.
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

    /// Solves for bounds of the two classes, from where the last solution was: bounds may have
    /// grown since, not shrunk, and the matrix is the same.
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

    /// What `β` may be.
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

    /// Of those whose `β` may fall: the lowest shortfall, and the image with which a step gains
    /// most.
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
        // Exactly the bound where it is reached, so that no rounding leaves it just inside.
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
    /// way between what is allowed where there is none.
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
