//! Cholesky factors of symmetric, positive definite matrices.

use faer::linalg::solvers::{Llt, SolveCore};
use faer::{Conj, MatMut, MatRef, Side};

use crate::{Error, Result};

/// A factored matrix.
#[derive(Debug)]
pub(crate) struct Factor(Llt<f64>);

impl Factor {
    /// Factors a matrix `[size, size]`, of which only the lower triangle is read. `what` names the
    /// problem in errors.
    pub(crate) fn of(what: &'static str, lower: &[f64], size: usize) -> Result<Self> {
        let matrix = MatRef::from_row_major_slice(lower, size, size);
        let factor = Llt::new(matrix, Side::Lower).map_err(|_| Error::Singular { what })?;
        Ok(Self(factor))
    }

    /// Solves for each row of `rows`, in place.
    pub(crate) fn solve(&self, rows: &mut [f64], size: usize) {
        let count = rows.len() / size;
        let columns = MatMut::from_column_major_slice_mut(rows, size, count);
        self.0.solve_in_place_with_conj(Conj::No, columns);
    }

    /// The lower factor, `[size, size]` row by row.
    pub(crate) fn lower(&self) -> Vec<f64> {
        let lower = self.0.L();
        let row =
            |i: usize| (0..lower.ncols()).map(move |j| if j <= i { lower[(i, j)] } else { 0.0 });
        (0..lower.nrows()).flat_map(row).collect()
    }
}
