//! Products of row-major matrices, each by one thread: for parallel work the caller divides it,
//! into parts that do not depend on the number of threads.

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows of a square that one thread computes at a time.
const ROWS_OF_A_PANEL: usize = 128;

/// `out[i, j] = a[i] · b[j]`, for rows of `columns`.
pub(crate) fn times_transposed<T: ComplexField>(a: &[T], b: &[T], columns: usize, out: &mut [T]) {
    let (a, b) = (by_rows(a, columns), by_rows(b, columns));
    let out = MatMut::from_row_major_slice_mut(out, a.nrows(), b.nrows());
    matmul(out, Accum::Replace, a, b.transpose(), T::one_impl(), Par::Seq);
}

/// `out += aᵀ · b`, for `a` with rows of `a_columns` and `b` with as many rows of `b_columns`.
pub(crate) fn add_transposed_times<T: ComplexField>(
    (a, a_columns): (&[T], usize),
    (b, b_columns): (&[T], usize),
    out: &mut [T],
) {
    let out = MatMut::from_row_major_slice_mut(out, a_columns, b_columns);
    let (a, b) = (by_rows(a, a_columns), by_rows(b, b_columns));
    matmul(out, Accum::Add, a.transpose(), b, T::one_impl(), Par::Seq);
}

/// `out += aᵀ · a`, the lower triangle and some of the upper, by all threads.
pub(crate) fn add_lower_square<T: ComplexField + Send + Sync>(
    a: &[T],
    columns: usize,
    out: &mut [T],
) {
    let a = by_rows(a, columns);
    out.par_chunks_mut(ROWS_OF_A_PANEL * columns).enumerate().for_each(|(panel, out)| {
        let first = panel * ROWS_OF_A_PANEL;
        let rows = out.len() / columns;
        let left = a.subcols(first, rows).transpose();
        let out = MatMut::from_row_major_slice_mut(out, rows, columns);
        let out = out.subcols_mut(0, first + rows);
        matmul(out, Accum::Add, left, a.subcols(0, first + rows), T::one_impl(), Par::Seq);
    });
}

fn by_rows<T>(values: &[T], columns: usize) -> MatRef<'_, T> {
    MatRef::from_row_major_slice(values, values.len() / columns, columns)
}
