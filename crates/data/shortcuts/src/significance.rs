//! Whether a ranking could be chance.

/// How well scores rank one group above another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MannWhitney {
    /// The chance that a value of the first group is above one of the second; ties count half.
    pub(crate) auroc: f64,
    /// The chance of an AUROC at least this high if both groups are the same.
    pub(crate) p_value: f64,
}

/// The one-sided Mann-Whitney test, by the normal approximation with corrections for ties and
/// continuity: SciPy's `mannwhitneyu(higher, lower, alternative="greater", method="asymptotic")`.
/// `None` if a group is empty.
pub(crate) fn mann_whitney(higher: &[f64], lower: &[f64]) -> Option<MannWhitney> {
    let (n, m) = (higher.len() as f64, lower.len() as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let tagged = |values: &[f64], tag: bool| -> Vec<_> {
        values.iter().map(|value| (*value, tag)).collect()
    };
    let mut all = [tagged(higher, true), tagged(lower, false)].concat();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut wins, mut below, mut ties) = (0.0, 0.0, 0.0);
    for tie in all.chunk_by(|a, b| a.0 == b.0) {
        let of_higher = tie.iter().filter(|(_, is_higher)| *is_higher).count() as f64;
        let size = tie.len() as f64;
        wins += of_higher * (below + (size - of_higher) / 2.0);
        below += size - of_higher;
        ties += size * size * size - size;
    }
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    let beyond_chance = wins - n * m / 2.0 - 0.5;
    let p_value = if variance > 0.0 {
        libm::erfc(beyond_chance / (2.0 * variance).sqrt()) / 2.0
    } else {
        1.0
    };
    Some(MannWhitney { auroc: wins / (n * m), p_value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auroc_and_p_value_are_scipys() {
        // from scipy.stats import mannwhitneyu
        // mannwhitneyu(higher, lower, alternative="greater", method="asymptotic")
        let higher = [0.9, 0.8, 0.8, 0.6, 0.4, 0.75];
        let lower = [0.5, 0.3, 0.8, 0.1, 0.4];
        let found = mann_whitney(&higher, &lower).unwrap();
        assert!((found.auroc - 24.5 / 30.0).abs() < 1e-12, "{found:?}");
        assert!((found.p_value - 0.048_239_901_754_479_17).abs() < 1e-12, "{found:?}");
        let found = mann_whitney(&lower, &higher).unwrap();
        assert!((found.auroc - 5.5 / 30.0).abs() < 1e-12, "{found:?}");
        assert!((found.p_value - 0.967_615_515_150_556_2).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn many_ties_and_small_chances_are_scipys() {
        let higher: Vec<f64> = (0..40).map(|at| f64::from(at * 37 % 11) + 3.0).collect();
        let lower: Vec<f64> = (0..60).map(|at| f64::from(at * 53 % 13)).collect();
        let found = mann_whitney(&higher, &lower).unwrap();
        assert!((found.auroc - 0.667_291_666_666_666_6).abs() < 1e-12, "{found:?}");
        assert!((found.p_value - 0.002_328_409_842_200_756_2).abs() < 1e-12, "{found:?}");
        let higher: Vec<f64> = (50..110).map(f64::from).collect();
        let lower: Vec<f64> = (0..60).map(f64::from).collect();
        let found = mann_whitney(&higher, &lower).unwrap();
        assert!((found.auroc - 0.986_111_111_111_111_2).abs() < 1e-12, "{found:?}");
        assert!((found.p_value / 2.102_993_895_401_928_8e-20 - 1.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_perfect_order_of_few_is_no_proof() {
        let found = mann_whitney(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(found.auroc, 1.0);
        assert!((found.p_value - 0.040_427_799_185_026_12).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn equal_values_and_empty_groups_prove_nothing() {
        let equal = mann_whitney(&[0.5; 40], &[0.5; 40]).unwrap();
        assert_eq!((equal.auroc, equal.p_value), (0.5, 1.0));
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }
}
