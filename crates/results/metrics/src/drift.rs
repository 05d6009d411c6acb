use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Classes with fewer expected images are counted together: the chi-squared distribution does not
/// hold for them (Cochran 1954).
const LEAST_EXPECTED: f64 = 5.0;

/// How far a window of images is from a reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Departure {
    /// 0 where both are alike, at most 1.
    pub statistic: f64,
    /// The statistic that a window of the reference's own kind exceeds with the probability that
    /// was asked for, or a lower one.
    pub limit: f64,
}

impl Departure {
    /// Whether the window is farther away than its limit.
    pub fn is_beyond_limit(&self) -> bool {
        self.statistic > self.limit
    }

    /// Compares values by the two-sample test of Kolmogorov and Smirnov: the statistic is the
    /// largest difference between the two distribution functions. `level` is the probability of a
    /// false alarm. The limit is Smirnov's for large samples, √(−ln(level / 2) (n + m) / 2nm); with
    /// tied values false alarms are rarer.
    ///
    /// `None` if either has no values. Values must be finite.
    pub fn of_values(reference: &[f64], window: &[f64], level: f64) -> Option<Self> {
        if reference.is_empty() || window.is_empty() {
            return None;
        }
        let (reference, window) = (ascending(reference), ascending(window));
        let (n, m) = (reference.len() as f64, window.len() as f64);
        let (mut i, mut j, mut statistic) = (0, 0, 0.0_f64);
        while let (Some(a), Some(b)) = (reference.get(i), window.get(j)) {
            let value = a.min(*b);
            i += reference[i..].iter().take_while(|it| **it <= value).count();
            j += window[j..].iter().take_while(|it| **it <= value).count();
            statistic = statistic.max((i as f64 / n - j as f64 / m).abs());
        }
        let limit = (-(level / 2.0).ln() * (n + m) / (2.0 * n * m)).sqrt().min(1.0);
        Some(Self { statistic, limit })
    }

    /// Compares how often each class was predicted, by the chi-squared test of homogeneity: the
    /// statistic is √(χ² / N) of the table with two rows, Cramér's V. Counts are in the same order.
    /// `level` is the probability of a false alarm.
    ///
    /// `None` if either has no images, or only one class is frequent enough.
    pub fn of_counts(reference: &[u64], window: &[u64], level: f64) -> Option<Self> {
        let (n, m) = (sum(reference), sum(window));
        if n == 0.0 || m == 0.0 {
            return None;
        }
        let columns = frequent(reference, window, n, m);
        let freedom = columns.len().checked_sub(1).filter(|it| *it > 0)?;
        let total = n + m;
        let squares = columns.iter().map(|(a, b)| {
            let (of_n, of_m) = ((a + b) * n / total, (a + b) * m / total);
            (a - of_n).powi(2) / of_n + (b - of_m).powi(2) / of_m
        });
        let distribution = ChiSquared::new(freedom as f64).ok()?;
        let limit = distribution.inverse_cdf(1.0 - level);
        let of_table = |chi_squared: f64| (chi_squared / total).sqrt().min(1.0);
        Some(Self { statistic: of_table(squares.sum()), limit: of_table(limit) })
    }
}

/// Columns of the table; classes that are too rare are one column.
fn frequent(reference: &[u64], window: &[u64], n: f64, m: f64) -> Vec<(f64, f64)> {
    let share = n.min(m) / (n + m);
    let mut columns = Vec::new();
    let mut rare = (0.0, 0.0);
    for (a, b) in reference.iter().zip(window) {
        let (a, b) = (*a as f64, *b as f64);
        if (a + b) * share >= LEAST_EXPECTED {
            columns.push((a, b));
        } else {
            rare = (rare.0 + a, rare.1 + b);
        }
    }
    if (rare.0 + rare.1) * share >= LEAST_EXPECTED {
        columns.push(rare);
    } else if let Some(last) = columns.last_mut() {
        *last = (last.0 + rare.0, last.1 + rare.1);
    }
    columns
}

fn sum(counts: &[u64]) -> f64 {
    counts.iter().map(|count| *count as f64).sum()
}

fn ascending(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::testing::assert_close;

    #[test]
    fn the_statistic_is_the_largest_difference_of_the_distribution_functions() {
        // By hand: after 3 the reference has 3 of 4, the window 1 of 5.
        let found =
            Departure::of_values(&[1.0, 2.0, 3.0, 8.0], &[3.0, 4.0, 5.0, 6.0, 7.0], 0.05).unwrap();
        assert_close(found.statistic, 0.75 - 0.2);
        assert_close(found.limit, (-(0.025_f64.ln()) * 9.0 / 40.0).sqrt());
        let same = Departure::of_values(&[1.0, 2.0], &[2.0, 1.0], 0.05).unwrap();
        assert_close(same.statistic, 0.0);
        let apart = Departure::of_values(&[0.0; 100], &[1.0; 100], 0.05).unwrap();
        assert!(apart.statistic >= 1.0 && apart.is_beyond_limit());
        assert_eq!(Departure::of_values(&[], &[1.0], 0.05), None);
    }

    #[test]
    fn counts_are_compared_as_scipy_does() {
        // scipy.stats.chi2_contingency([[50, 30, 20], [20, 30, 50]], correction=False):
        // χ² = 25.714…, and chi2.ppf(0.95, 2) = 5.991464547107979.
        let found = Departure::of_counts(&[50, 30, 20], &[20, 30, 50], 0.05).unwrap();
        assert_close(found.statistic, (180.0_f64 / 7.0 / 200.0).sqrt());
        assert!((found.limit - (5.991_464_547_107_979_f64 / 200.0).sqrt()).abs() < 1e-9);
        assert!(found.is_beyond_limit());
        let same = Departure::of_counts(&[50, 30, 20], &[50, 30, 20], 0.05).unwrap();
        assert_close(same.statistic, 0.0);
    }

    #[test]
    fn rare_classes_are_counted_together_and_one_class_shows_nothing() {
        let together = Departure::of_counts(&[50, 30, 20], &[50, 30, 20], 0.05);
        let rare = Departure::of_counts(&[50, 30, 10, 10], &[50, 30, 20, 0], 0.05);
        assert!(rare.is_some() && together.is_some());
        assert_eq!(Departure::of_counts(&[50, 1], &[50, 0], 0.05), None);
        assert_eq!(Departure::of_counts(&[5], &[5], 0.05), None);
        assert_eq!(Departure::of_counts(&[], &[], 0.05), None);
    }

    /// The share of windows beyond the limit, of windows like the reference.
    fn false_alarms(
        level: f64,
        compare: impl Fn(&mut ChaCha8Rng, f64) -> Option<Departure>,
    ) -> f64 {
        const WINDOWS: u32 = 4000;
        let mut random = ChaCha8Rng::seed_from_u64(17);
        let beyond = (0..WINDOWS)
            .filter(|_| compare(&mut random, level).is_some_and(|it| it.is_beyond_limit()))
            .count();
        beyond as f64 / f64::from(WINDOWS)
    }

    #[test]
    fn false_alarms_are_as_rare_as_was_asked_for() {
        // 4000 windows: the standard error of a share of 0.02 is 0.0022.
        let level = 0.02;
        let values = false_alarms(level, |random, level| {
            let mut draw = |count| -> Vec<f64> { (0..count).map(|_| random.random()).collect() };
            let (reference, window) = (draw(300), draw(80));
            Departure::of_values(&reference, &window, level)
        });
        assert!(values > 0.005 && values < level + 0.007, "{values}");
        let counts = false_alarms(level, |random, level| {
            let mut draw = |images| {
                let mut counts = [0_u64; 4];
                for _ in 0..images {
                    let place: f64 = random.random();
                    counts[usize::from(place > 0.4)
                        + usize::from(place > 0.7)
                        + usize::from(place > 0.9)] += 1;
                }
                counts
            };
            let (reference, window) = (draw(300), draw(80));
            Departure::of_counts(&reference, &window, level)
        });
        assert!(counts > 0.008 && counts < level + 0.009, "{counts}");
    }

    #[test]
    fn a_planted_shift_is_found() {
        let mut random = ChaCha8Rng::seed_from_u64(17);
        let reference: Vec<f64> = (0..300).map(|_| random.random()).collect();
        let found = (0..200).filter(|_| {
            let window: Vec<f64> = (0..80).map(|_| random.random::<f64>() + 0.35).collect();
            Departure::of_values(&reference, &window, 1.0 / 120.0).unwrap().is_beyond_limit()
        });
        assert!(found.count() >= 196, "98 of 100 windows at least");
    }
}
