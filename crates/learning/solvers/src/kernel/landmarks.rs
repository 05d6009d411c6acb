//! A kernel machine for more images than fit into one kernel matrix: a function of the distances to
//! some of them, the landmarks.
//!
//! A least-squares support vector machine (Suykens & Vandewalle 1999, "Least Squares Support Vector
//! Machine Classifiers") for each class against the others: with targets `t = ±1`, landmarks' kernel
//! `L` and the images' kernel to the landmarks `k`,
//!
//! ```text
//! minimise  ½ βᵀ L β + C/2 Σᵢ wᵢ (tᵢ − kᵢ·β − b)²
//! ```
//!
//! One pass over the images builds the normal equations: memory is the square of the landmarks and
//! a chunk of images, however many images there are. The equations of all classes have one matrix.
//! The offset `b` has no penalty: subtracting the weighted means from `k` and `t` removes it from
//! the equations, and it is computed afterwards.

use rayon::prelude::*;

use super::by_class::ByClass;
use super::distance::{ROWS_OF_A_BLOCK, distances};
use crate::factor::Factor;
use crate::product::{add_lower_square, add_transposed_times};
use crate::standardise::Design;
use crate::{Labelled, Result};

/// Images whose kernel to the landmarks is in memory at a time.
const IMAGES_OF_A_CHUNK: usize = 2048;

/// Added to the diagonal of the landmarks' kernel, whose own diagonal is 1: larger than rounding
/// errors.
const JITTER: f64 = 1e-6;

const WHAT: &str = "kernel machine on landmarks";

/// Coefficients `[classes, landmarks]` and a bias for each class.
#[derive(Debug)]
pub(crate) struct Solution {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) bias: Vec<f64>,
}

/// As many landmarks of each class as its share of all images, at least one, drawn by a seed;
/// sorted.
pub(crate) fn draw(by_class: &ByClass, landmarks: usize, seed: u64) -> Vec<usize> {
    let images = by_class.images.len();
    let mut drawn: Vec<usize> = Vec::with_capacity(landmarks);
    for part in &by_class.parts {
        let mut keyed: Vec<usize> = part.clone().collect();
        keyed.sort_by_cached_key(|place| {
            let image = by_class.images[*place] as u64;
            artifact::Digest::of_fields([&seed.to_le_bytes()[..], &image.to_le_bytes()[..]])
        });
        let share = (landmarks * part.len() + images / 2) / images;
        drawn.extend(&keyed[..share.clamp(1, part.len())]);
    }
    drawn.sort_unstable();
    drawn
}

/// Sums over images that do not depend on the strength.
#[derive(Debug)]
pub(crate) struct Equations {
    landmarks: usize,
    classes: usize,
    /// The kernel between landmarks `[landmarks, landmarks]`.
    own: Vec<f64>,
    /// Lower triangle of `Σ wᵢ kᵢ kᵢᵀ`.
    squares: Vec<f64>,
    /// `Σ wᵢ kᵢ` of the images of each class, `[classes, landmarks]`.
    sums: Vec<f64>,
    /// `Σ wᵢ` of the images of each class.
    weights: Vec<f64>,
}

impl Equations {
    /// One pass over the images, for kernels of several widths. `vectors` are the landmarks'
    /// features.
    pub(crate) fn of(
        data: &Labelled<'_>,
        by_class: &ByClass,
        design: &Design<'_>,
        vectors: &[f32],
        gammas: &[f32],
    ) -> Vec<Self> {
        let columns = design.columns();
        let own = distances(vectors, vectors, columns);
        let start = |gamma: &f32| Self::start(data, by_class, kernel(&own, *gamma, 1.0));
        let mut equations: Vec<Self> = gammas.iter().map(start).collect();
        for (class, part) in by_class.parts.iter().enumerate() {
            let root = data.weight(class).sqrt();
            for first in part.clone().step_by(IMAGES_OF_A_CHUNK) {
                let end = (first + IMAGES_OF_A_CHUNK).min(part.end);
                let blocks: Vec<usize> = (first..end).step_by(ROWS_OF_A_BLOCK).collect();
                let distances: Vec<Vec<f32>> = blocks
                    .into_par_iter()
                    .map(|first| {
                        let rows = design.rows_at(first..(first + ROWS_OF_A_BLOCK).min(end));
                        distances(&rows, vectors, columns)
                    })
                    .collect();
                for (equations, gamma) in equations.iter_mut().zip(gammas) {
                    let blocks = distances.par_iter().map(|block| kernel(block, *gamma, root));
                    equations.add(class, root, &blocks.collect::<Vec<_>>().concat());
                }
            }
        }
        equations
    }

    /// The start, without images.
    fn start(data: &Labelled<'_>, by_class: &ByClass, own: Vec<f64>) -> Self {
        let classes = by_class.parts.len();
        let landmarks = own.len().isqrt();
        let weight = |class| data.weight(class) * by_class.parts[class].len() as f64;
        Self {
            landmarks,
            classes,
            own,
            squares: vec![0.0; landmarks * landmarks],
            sums: vec![0.0; classes * landmarks],
            weights: (0..classes).map(weight).collect(),
        }
    }

    /// Images of one class, their kernel multiplied by the root of its weight.
    fn add(&mut self, class: usize, root: f64, chunk: &[f64]) {
        add_lower_square(chunk, self.landmarks, &mut self.squares);
        let roots = vec![root; chunk.len() / self.landmarks];
        let sums = &mut self.sums[class * self.landmarks..][..self.landmarks];
        add_transposed_times((&roots, 1), (chunk, self.landmarks), sums);
    }

    /// Solves them for a strength.
    pub(crate) fn solve(&self, strength: f64) -> Result<Solution> {
        let (landmarks, classes) = (self.landmarks, self.classes);
        let total: f64 = self.weights.iter().sum();
        let mut mean = vec![0.0; landmarks];
        for sums in self.sums.chunks_exact(landmarks) {
            mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum / total);
        }
        let mut matrix = self.own.clone();
        matrix.par_chunks_mut(landmarks).enumerate().for_each(|(row, values)| {
            let squares = &self.squares[row * landmarks..][..landmarks];
            for (value, (square, other)) in values.iter_mut().zip(squares.iter().zip(&mean)) {
                *value += strength * (square - total * mean[row] * other);
            }
            values[row] += JITTER;
        });
        let factor = Factor::of(WHAT, &matrix, landmarks)?;

        let mut coefficients = vec![0.0; classes * landmarks];
        let mut bias = vec![0.0; classes];
        for class in 0..classes {
            // Targets of +1 and −1 less their mean are 2 in the class and 0 elsewhere, less the
            // mean of these.
            let share = self.weights[class] / total;
            let row = &mut coefficients[class * landmarks..][..landmarks];
            let sums = &self.sums[class * landmarks..][..landmarks];
            for (value, (sum, mean)) in row.iter_mut().zip(sums.iter().zip(&mean)) {
                *value = 2.0 * strength * (sum - self.weights[class] * mean);
            }
            bias[class] = 2.0 * share - 1.0;
        }
        factor.solve(&mut coefficients, landmarks);
        for (bias, row) in bias.iter_mut().zip(coefficients.chunks_exact(landmarks)) {
            *bias -= row.iter().zip(&mean).map(|(it, mean)| it * mean).sum::<f64>();
        }
        Ok(Solution { coefficients, bias })
    }
}

/// Values of the kernel, times a factor, in double precision, from distances in single precision.
fn kernel(distances: &[f32], gamma: f32, factor: f64) -> Vec<f64> {
    distances.iter().map(|distance| factor * f64::from((-gamma * *distance).exp())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Drawn;

    const GAMMA: f32 = 0.1;
    const STRENGTH: f64 = 3.0;

    /// The objective for one class, computed directly from its definition.
    fn objective(
        data: &Labelled<'_>,
        by_class: &ByClass,
        (own, images): (&[f64], &[f64]),
        (class, coefficients, bias): (usize, &[f64], f64),
    ) -> f64 {
        let landmarks = coefficients.len();
        let dot = |row: &[f64]| row.iter().zip(coefficients).map(|(a, b)| a * b).sum::<f64>();
        let own = own.chunks_exact(landmarks).zip(coefficients);
        let mut value: f64 = own.map(|(row, it)| it * dot(row) / 2.0).sum();
        for (of, part) in by_class.parts.iter().enumerate() {
            let target = if of == class { 1.0 } else { -1.0 };
            for row in images[part.start * landmarks..part.end * landmarks].chunks(landmarks) {
                let off = target - dot(row) - bias;
                value += STRENGTH / 2.0 * data.weight(of) * off * off;
            }
        }
        value
    }

    #[test]
    fn the_solution_is_the_minimum_of_the_weighted_squares() {
        let drawn = Drawn::new(90, 6, 3);
        let data = Labelled { class_weights: Some(&[0.5, 1.0, 4.0]), ..drawn.data() };
        let by_class = ByClass::of(&data, (0..90).collect());
        let used: Vec<usize> = (0..6).collect();
        let design = Design::fitted(data.rows, by_class.images.clone(), used).unwrap();
        let vectors = design.rows_of(&draw(&by_class, 12, 5));
        let equations = Equations::of(&data, &by_class, &design, &vectors, &[GAMMA]);
        let solution = equations[0].solve(STRENGTH).unwrap();

        let own = kernel(&distances(&vectors, &vectors, 6), GAMMA, 1.0);
        let images = kernel(&distances(&design.all_rows(), &vectors, 6), GAMMA, 1.0);
        for class in 0..3 {
            let coefficients = &solution.coefficients[class * 12..][..12];
            let at = |coefficients: &[f64], bias: f64| {
                objective(&data, &by_class, (&own, &images), (class, coefficients, bias))
            };
            let bias = solution.bias[class];
            let least = at(coefficients, bias);
            for by in [-1e-2, 1e-2] {
                assert!(at(coefficients, bias + by) > least);
                for place in 0..12 {
                    let mut moved = coefficients.to_vec();
                    moved[place] += by;
                    assert!(at(&moved, bias) > least, "class {class}, landmark {place}");
                }
            }
        }
    }

    #[test]
    fn every_class_has_its_share_of_landmarks_and_at_least_one() {
        let parts = vec![0..900, 900..999, 999..1000];
        let by_class = ByClass { images: (0..1000).collect(), parts };
        let drawn = draw(&by_class, 100, 3);
        let of = |part: std::ops::Range<usize>| drawn.iter().filter(|it| part.contains(it)).count();
        assert_eq!((of(0..900), of(900..999), of(999..1000)), (90, 10, 1));
        assert!(drawn.is_sorted_by(|a, b| a < b));
        assert_eq!(drawn, draw(&by_class, 100, 3));
        assert_ne!(drawn, draw(&by_class, 100, 4));
    }
}
