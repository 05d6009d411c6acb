//! The input of trees: numbers in bins.

use rayon::prelude::*;

/// Bins of a column. A column with at most this many distinct values has a bin for each, and is cut
/// exactly.
pub(crate) const MOST_BINS: usize = 256;

/// Numbers of each row, column by column: trees read one column of many rows at a time.
pub(crate) struct Table {
    columns: Vec<Column>,
}

/// One number of each row.
pub(crate) struct Column {
    bins: Vec<Bin>,
    /// The bin of each row.
    of_rows: Vec<u8>,
}

/// The values that count as one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bin {
    lowest: f32,
    highest: f32,
}

impl Table {
    /// `value` returns a column's number for a row.
    pub(crate) fn new(
        rows: usize,
        columns: usize,
        value: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Self {
        let column =
            |column| Column::new(&(0..rows).map(|row| value(column, row)).collect::<Vec<f32>>());
        Self { columns: (0..columns).into_par_iter().map(column).collect() }
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn column(&self, column: usize) -> &Column {
        &self.columns[column]
    }
}

impl Column {
    fn new(values: &[f32]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        let bins = bins(&sorted);
        let bin = |value: &f32| bins.partition_point(|bin| bin.highest < *value) as u8;
        Self { of_rows: values.iter().map(bin).collect(), bins }
    }

    /// How many bins there are.
    pub(crate) fn bins(&self) -> usize {
        self.bins.len()
    }

    /// The bin of a row.
    pub(crate) fn bin(&self, row: u32) -> u8 {
        self.of_rows[row as usize]
    }

    /// A value between two bins, below the higher one even where no float lies between.
    pub(crate) fn between(&self, low: usize, high: usize) -> f32 {
        between(self.bins[low].highest, self.bins[high].lowest)
    }
}

fn between(low: f32, high: f32) -> f32 {
    let middle = low / 2.0 + high / 2.0;
    if (low..high).contains(&middle) { middle } else { low }
}

/// Bins of about equally many values, with equal values always in one bin: a bin ends when its
/// share of the values is reached.
fn bins(sorted: &[f32]) -> Vec<Bin> {
    let distinct = || sorted.chunk_by(|a, b| a == b);
    let single = |equal: &[f32]| Bin { lowest: equal[0], highest: equal[0] };
    if distinct().nth(MOST_BINS).is_none() {
        return distinct().map(single).collect();
    }
    let mut bins: Vec<Bin> = Vec::with_capacity(MOST_BINS);
    let (mut seen, mut is_open) = (0, false);
    for equal in distinct() {
        match bins.last_mut().filter(|_| is_open) {
            Some(bin) => bin.highest = equal[0],
            None => bins.push(single(equal)),
        }
        seen += equal.len();
        is_open = seen * MOST_BINS < bins.len() * sorted.len();
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each() {
        let column = Column::new(&[3.0, 1.0, 3.0, 2.0]);
        assert_eq!(column.of_rows, [2, 0, 2, 1]);
        assert_eq!(column.between(0, 1), 1.5);
        // Values that no row of a branch has are skipped.
        assert_eq!(column.between(0, 2), 2.0);
    }

    #[test]
    fn many_values_share_bins_of_about_as_many_and_equal_ones_are_never_parted() {
        // Half of them are zero.
        let values: Vec<f32> = (0..5_120_u16).map(|at| f32::from(at).max(2_559.0)).collect();
        let column = Column::new(&values);
        assert!((128..=MOST_BINS).contains(&column.bins()), "{}", column.bins());
        for (row, value) in values.iter().enumerate() {
            let bin = column.bins[usize::from(column.of_rows[row])];
            assert!((bin.lowest..=bin.highest).contains(value), "{value}: {bin:?}");
        }
        assert!(column.bins.windows(2).all(|pair| pair[0].highest < pair[1].lowest));
        assert_eq!(column.bins[0].highest, 2_559.0);
        let last = column.of_rows.iter().filter(|bin| **bin == column.of_rows[5_119]).count();
        assert!((1..=20).contains(&last), "{last}");
    }

    #[test]
    fn neighbouring_floats_are_told_apart() {
        let low = 16_777_214.0_f32;
        assert_eq!(between(low, low.next_up()), low);
        assert_eq!(between(1.0, 2.0), 1.5);
    }
}
