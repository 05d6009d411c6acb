//! A machine for each pair of classes, on one kernel matrix.

use rayon::prelude::*;

use super::by_class::ByClass;
use super::smo::{Matrix, Pair};
use crate::Result;

/// The machines of all pairs of classes.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    classes: usize,
    pairs: Vec<((usize, usize), Pair)>,
    parts: Vec<std::ops::Range<usize>>,
}

impl Machine {
    /// The start, before any solution.
    pub(crate) fn new(by_class: &ByClass) -> Self {
        let classes = by_class.parts.len();
        let of_first = |first| (first + 1..classes).map(move |second| (first, second));
        let size = |class: usize| by_class.parts[class].len();
        let start = |(first, second)| ((first, second), Pair::new(size(first), size(second)));
        let pairs = (0..classes).flat_map(of_first).map(start).collect();
        Self { classes, pairs, parts: by_class.parts.clone() }
    }

    /// Solves every pair, starting from the last solution, for bounds that may have grown since.
    pub(crate) fn solve(&mut self, kernel: &[f32], bounds: &[f64]) -> Result<()> {
        let parts = &self.parts;
        let size = parts.iter().map(ExactSizeIterator::len).sum();
        self.pairs.par_iter_mut().try_for_each(|((first, second), pair)| {
            let (in_first, in_second) = (parts[*first].clone(), parts[*second].clone());
            let matrix = Matrix { values: kernel, size, first: in_first, second: in_second };
            pair.solve(&matrix, [bounds[*first], bounds[*second]])
        })
    }

    /// The coefficients of all images, `[classes, images]`: their contributions to a class's sum of
    /// decision values.
    pub(crate) fn coefficients(&self) -> Vec<Vec<f64>> {
        let images = self.parts.iter().map(ExactSizeIterator::len).sum();
        let mut coefficients = vec![vec![0.0; images]; self.classes];
        for ((first, second), pair) in &self.pairs {
            let (beta, _) = pair.solution();
            let places = self.parts[*first].clone().chain(self.parts[*second].clone());
            for (place, beta) in places.zip(beta) {
                coefficients[*first][place] += beta;
                coefficients[*second][place] -= beta;
            }
        }
        coefficients
    }

    /// The constant of each class's sum.
    pub(crate) fn bias(&self) -> Vec<f64> {
        let mut bias = vec![0.0; self.classes];
        for ((first, second), pair) in &self.pairs {
            let (_, offset) = pair.solution();
            bias[*first] += offset;
            bias[*second] -= offset;
        }
        bias
    }

    /// The images that are a support vector of some pair, in order of class, and their
    /// coefficients, class by class.
    pub(crate) fn support(&self) -> (Vec<usize>, Vec<f64>) {
        let coefficients = self.coefficients();
        let mut supports = vec![false; coefficients[0].len()];
        for ((first, second), pair) in &self.pairs {
            let places = self.parts[*first].clone().chain(self.parts[*second].clone());
            for (place, beta) in places.zip(pair.solution().0) {
                supports[place] |= *beta != 0.0;
            }
        }
        let places: Vec<usize> = (0..supports.len()).filter(|place| supports[*place]).collect();
        let of_class = |row: &Vec<f64>| places.iter().map(|place| row[*place]).collect::<Vec<_>>();
        let kept = coefficients.iter().flat_map(of_class).collect();
        (places, kept)
    }
}
