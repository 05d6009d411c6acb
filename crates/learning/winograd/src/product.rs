//! The matrix products at the 36 points.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _MM_HINT_T0, _mm_prefetch, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

use crate::transform::{LANES, Lanes};

/// Outputs that are summed up at once: two registers of AVX-512, four of AVX2.
pub(crate) const PANEL: usize = 32;

/// Inputs between the one that is multiplied and the one whose kernels are fetched.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 8;

/// The memory layout of a block's values.
///
/// Tiles before the product: for each point, for each group of [`LANES`] inputs, for each tile, the
/// lanes; after it: for each point, for each tile, the outputs. The distance of points is a little
/// larger than their length, since addresses at a distance of a power of two share few lines of a
/// cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Products: one for each point of the transforms, or one in all.
    pub(crate) points: usize,
    pub(crate) tiles: usize,
    /// Channels in, padded to whole [`LANES`].
    pub(crate) inputs: usize,
    /// Channels out.
    pub(crate) outputs: usize,
}

impl Layout {
    /// Values from one point to the next, before the product.
    pub(crate) fn point_before(self) -> usize {
        self.tiles * self.inputs + LANES
    }

    /// Values from one point to the next, after the product.
    pub(crate) fn point_after(self) -> usize {
        self.tiles * self.outputs + LANES
    }

    /// Values before the product, and after it.
    pub(crate) fn lengths(self) -> (usize, usize) {
        (self.points * self.point_before(), self.points * self.point_after())
    }
}

/// A product of some tiles and one panel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    /// The tiles of one point, before the product.
    before: &'a [f32],
    /// The panel of one point.
    kernels: &'a [f32],
    tiles: usize,
    first: usize,
    rows: usize,
    outputs: usize,
    panel: usize,
}

/// All products of a block, at most `most_rows` tiles at once. `kernels` has the layout of
/// [`crate::Convolution`].
#[inline(always)]
pub(crate) fn all(
    layout: Layout,
    before: &[f32],
    kernels: &[f32],
    after: &mut [f32],
    most_rows: usize,
    multiply: impl Fn(Part<'_>, &mut [f32]),
) {
    let Layout { points, tiles, inputs, outputs } = layout;
    for point in 0..points {
        let before = &before[point * layout.point_before()..][..tiles * inputs];
        let after = &mut after[point * layout.point_after()..][..tiles * outputs];
        for (panel, kernels) in kernels.chunks_exact(points * inputs * PANEL).enumerate() {
            let kernels = &kernels[point * inputs * PANEL..][..inputs * PANEL];
            let mut first = 0;
            while first < tiles {
                // As even as possible: few rows at once are slow.
                let rows = (tiles - first).div_ceil((tiles - first).div_ceil(most_rows));
                multiply(Part { before, kernels, tiles, first, rows, outputs, panel }, after);
                first += rows;
            }
        }
    }
}

impl Part<'_> {
    /// For each group of inputs, the lanes of `ROWS` tiles and the values of the panel.
    #[inline(always)]
    fn groups<const ROWS: usize>(
        &self,
    ) -> impl Iterator<Item = (&[Lanes; ROWS], &[[f32; PANEL]; LANES])> {
        let before = self.before.chunks_exact(self.tiles * LANES);
        before.zip(self.kernels.as_chunks().0.as_chunks().0).map(|(group, kernels)| {
            let rows = group.as_chunks().0[self.first..].first_chunk();
            (rows.expect("a part has whole tiles"), kernels)
        })
    }

    /// The destination of a row's sums.
    #[inline(always)]
    fn place<'a>(&self, row: usize, after: &'a mut [f32]) -> &'a mut [f32; PANEL] {
        after[(self.first + row) * self.outputs + self.panel * PANEL..]
            .first_chunk_mut()
            .expect("outputs are whole panels")
    }
}

/// A kernel: `$few::<ROWS>` multiplies `ROWS` tiles with a panel, in `$parts` registers of `$width`
/// values for each; `$name` chooses the number of rows. The sums stay in registers. Each adds up
/// its inputs in order, with one rounding for a product and its addition: the same in all kernels.
macro_rules! kernel {
    (
        $name:ident, $few:ident, $features:literal, $width:literal, $parts:literal,
        $zero:ident, $splat:ident, $load:ident, $store:ident, $multiply_add:ident,
        $($rows:literal)*
    ) => {
        #[target_feature(enable = $features)]
        pub(crate) fn $name(part: Part<'_>, after: &mut [f32]) {
            match part.rows {
                $($rows => $few::<$rows>(part, after),)*
                rows => unreachable!("{rows} rows are more than fit the registers"),
            }
        }

        #[target_feature(enable = $features)]
        fn $few<const ROWS: usize>(part: Part<'_>, after: &mut [f32]) {
            let mut sums = [[$zero(); $parts]; ROWS];
            for (rows, kernels) in part.groups::<ROWS>() {
                for (lane, kernels) in kernels.iter().enumerate() {
                    // Panels come from the second-level cache or further away, once for all rows.
                    let ahead = kernels.as_ptr().wrapping_add(AHEAD * PANEL).cast::<i8>();
                    _mm_prefetch::<_MM_HINT_T0>(ahead);
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64));
                    let kernels: &[[f32; $width]; $parts] =
                        kernels.as_chunks().0.try_into().expect("a panel is $parts registers");
                    // SAFETY: an array is as long as a register.
                    #[expect(unsafe_code, reason = "registers are loaded from pointers")]
                    let kernels = kernels.each_ref().map(|it| unsafe { $load(it.as_ptr()) });
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        let value = $splat(row[lane]);
                        for (sum, kernels) in sums.iter_mut().zip(kernels) {
                            *sum = $multiply_add(value, kernels, *sum);
                        }
                    }
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                let (places, _) = part.place(row, after).as_chunks_mut::<$width>();
                for (place, sum) in places.iter_mut().zip(sums) {
                    // SAFETY: as above.
                    #[expect(unsafe_code, reason = "registers are stored to pointers")]
                    unsafe { $store(place.as_mut_ptr(), sum) };
                }
            }
        }
    };
}

// 24 registers of sums, 2 of kernels, of 32.
#[cfg(target_arch = "x86_64")]
kernel!(
    multiply_avx512, few_avx512, "avx512f", 16, 2,
    _mm512_setzero_ps, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps,
    1 2 3 4 5 6 7 8 9 10 11 12
);

// 12 registers of sums, and kernels out of memory, of 16.
#[cfg(target_arch = "x86_64")]
kernel!(
    multiply_avx2, few_avx2, "avx2,fma", 8, 4,
    _mm256_setzero_ps, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps,
    1 2 3
);
