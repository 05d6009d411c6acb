//! Squared distances between images, and the kernel of them.

use rayon::prelude::*;

use crate::product::times_transposed;
use crate::standardise::Design;

/// Rows of a matrix that one thread computes at a time.
pub(crate) const ROWS_OF_A_BLOCK: usize = 256;

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

/// Squared lengths of rows, added up in double precision.
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

/// Turns squared distances into values of the kernel, in place.
pub(crate) fn to_kernel(distances: &mut [f32], gamma: f32) {
    distances.par_chunks_mut(1 << 14).for_each(|values| {
        values.iter_mut().for_each(|value| *value = (-gamma * *value).exp());
    });
}
