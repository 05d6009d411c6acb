//! Support vector machines with a Gaussian kernel, `k(u, v) = exp(−gamma · |u − v|²)`.
//!
//! The logit of a class is the *sum of its decision values* against each other class. scikit-learn
//! counts votes instead, and breaks ties by such a sum; the sum can be differentiated and
//! calibrated, which votes cannot. It also collapses to one coefficient per class and vector.

use std::ops::Range;

use rayon::prelude::*;

use crate::choice::{Kind, gamma_of};
use crate::product::times_transposed;
use crate::rows::columns_of;
use crate::standardise::Design;
use crate::{Choice, Cut, Fitted, Head, Labelled, Result};

pub(crate) mod exact;
pub(crate) mod landmarks;
mod smo;

/// Rows of a matrix that one thread makes at a time.
pub(crate) const ROWS_OF_A_BLOCK: usize = 256;

/// Up to so many images the machine is exact. Beyond, it is fitted on landmarks. The kernel matrix of
/// so many is 256 MiB.
pub const EXACT_LIMIT: usize = 8192;

/// How many landmarks there are.
pub const LANDMARKS: usize = 2048;

/// Fits a kernel machine: exactly up to [`EXACT_LIMIT`] images, on [`LANDMARKS`] of them beyond,
/// which `seed` draws.
///
/// # Errors
/// When a class has no image, a number is not one, nothing varies, or the optimum is not reached.
pub fn fit(data: &Labelled<'_>, cuts: &[Cut], choice: &Choice, seed: u64) -> Result<Fitted> {
    fit_with_limit(data, cuts, choice, seed, Limit::DEFAULT)
}

/// Where exact machines end, and what comes after.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) exact: usize,
    pub(crate) landmarks: usize,
}

impl Limit {
    pub(crate) const DEFAULT: Self = Self { exact: EXACT_LIMIT, landmarks: LANDMARKS };
}

pub(crate) fn fit_with_limit(
    data: &Labelled<'_>,
    cuts: &[Cut],
    choice: &Choice,
    seed: u64,
    limit: Limit,
) -> Result<Fitted> {
    data.check()?;
    choice.check(Kind::Kernel)?;
    let used = columns_of(&choice.cuts, cuts, data.rows.columns())?;
    let gamma = gamma_of(choice.width.unwrap_or(1.0), used.len());
    let by_class = ByClass::of(data, (0..data.rows.len()).collect());
    let design = Design::fitted(data.rows, by_class.images.clone(), used)?;
    let (places, coefficients, bias) = if design.len() <= limit.exact {
        let mut kernel = all_distances(&design, &design);
        to_kernel(&mut kernel, gamma);
        let mut machine = exact::Machine::new(&by_class);
        machine.solve(&kernel, &by_class.bounds(data, choice.strength))?;
        let (places, coefficients) = machine.support();
        (places, coefficients, machine.bias())
    } else {
        let places = landmarks::draw(&by_class, limit.landmarks, seed);
        let vectors = design.rows_of(&places);
        let equations = landmarks::Equations::of(data, &by_class, &design, &vectors, &[gamma]);
        let solution = equations[0].solve(choice.strength)?;
        (places, solution.coefficients, solution.bias)
    };
    let head = Head::Kernel {
        vectors: design.spread(&design.rows_of(&places)),
        coefficients: coefficients.into_iter().map(|it| it as f32).collect(),
        bias: bias.into_iter().map(|it| it as f32).collect(),
        gamma,
    };
    Ok(Fitted { standardisation: design.standardisation().clone(), head })
}

/// Images sorted by class.
#[derive(Debug)]
pub(crate) struct ByClass {
    /// Their numbers in the matrix.
    pub(crate) images: Vec<usize>,
    /// Where each class lies among them.
    pub(crate) parts: Vec<Range<usize>>,
}

impl ByClass {
    pub(crate) fn of(data: &Labelled<'_>, mut images: Vec<usize>) -> Self {
        images.sort_by_key(|image| data.labels[*image]);
        let end = |class| images.partition_point(|image| data.labels[*image] <= class);
        let start = |class| images.partition_point(|image| data.labels[*image] < class);
        let parts = (0..data.classes).map(|class| start(class)..end(class)).collect();
        Self { images, parts }
    }

    /// The bound of the dual variables of each class.
    pub(crate) fn bounds(&self, data: &Labelled<'_>, strength: f64) -> Vec<f64> {
        (0..self.parts.len()).map(|class| strength * data.weight(class)).collect()
    }
}

/// Squared distances between rows, `[rows, vectors]`, by one thread:
/// `|u − v|² = |u|² + |v|² − 2 u·v`.
pub(crate) fn distances(rows: &[f32], vectors: &[f32], columns: usize) -> Vec<f32> {
    let norms = norms(vectors, columns);
    let mut out = vec![0.0; rows.len() / columns * norms.len()];
    distances_into(rows, (vectors, &norms), columns, &mut out);
    out
}

fn distances_into(
    rows: &[f32],
    (vectors, vector_norms): (&[f32], &[f32]),
    columns: usize,
    out: &mut [f32],
) {
    times_transposed(rows, vectors, columns, out);
    let rows = norms(rows, columns);
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(vector_norms.len())) {
        for (value, vector) in out.iter_mut().zip(vector_norms) {
            *value = (row + vector - 2.0 * *value).max(0.0);
        }
    }
}

/// Squared lengths of rows, in double precision while they are added up.
fn norms(rows: &[f32], columns: usize) -> Vec<f32> {
    let square = |row: &[f32]| row.iter().map(|it| f64::from(*it) * f64::from(*it)).sum::<f64>();
    rows.chunks_exact(columns).map(|row| square(row) as f32).collect()
}

/// Squared distances between all images of two designs, `[rows, vectors]`.
pub(crate) fn all_distances(rows: &Design<'_>, vectors: &Design<'_>) -> Vec<f32> {
    let columns = rows.columns();
    let vectors = vectors.all_rows();
    let vector_norms = norms(&vectors, columns);
    let mut out = vec![0.0; rows.len() * vector_norms.len()];
    let blocks = out.par_chunks_mut(ROWS_OF_A_BLOCK * vector_norms.len()).enumerate();
    blocks.for_each(|(block, out)| {
        let first = block * ROWS_OF_A_BLOCK;
        let rows = rows.rows_at(first..(first + ROWS_OF_A_BLOCK).min(rows.len()));
        distances_into(&rows, (&vectors, &vector_norms), columns, out);
    });
    out
}

/// Turns squared distances into values of the kernel, in their place.
pub(crate) fn to_kernel(distances: &mut [f32], gamma: f32) {
    distances.par_chunks_mut(1 << 14).for_each(|values| {
        values.iter_mut().for_each(|value| *value = (-gamma * *value).exp());
    });
}
