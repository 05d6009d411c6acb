//! Whether one predictor is right on more images than another, by an exact test.

use serde::{Deserialize, Serialize};

/// Images on which two predictors were right or wrong. Images with the same outcome for both do not
/// show which is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedOutcomes {
    /// Images on which both were right.
    pub both_right: u64,
    /// Images on which only the first was right.
    pub only_first_right: u64,
    /// Images on which only the second was right.
    pub only_second_right: u64,
    /// Images on which both were wrong.
    pub both_wrong: u64,
}

impl PairedOutcomes {
    /// Counts images from whether the first and the second were right on each.
    pub fn of(
        first: impl IntoIterator<Item = bool>,
        second: impl IntoIterator<Item = bool>,
    ) -> Self {
        let mut outcomes = Self::default();
        for pair in first.into_iter().zip(second) {
            *match pair {
                (true, true) => &mut outcomes.both_right,
                (true, false) => &mut outcomes.only_first_right,
                (false, true) => &mut outcomes.only_second_right,
                (false, false) => &mut outcomes.both_wrong,
            } += 1;
        }
        outcomes
    }

    /// The two-sided p-value of McNemar's exact test (1947): the probability of a split at least as
    /// uneven, if on each image that only one gets right it were either with equal probability. 1
    /// if there is no such image. As `scipy.stats.binomtest`.
    ///
    /// The test treats the images as independent. If several come from one patient, its p-value is
    /// too small; use the paired [`Bootstrap`](crate::Bootstrap) over patients instead.
    pub fn p_value(&self) -> f64 {
        let (fewer, more) = (
            self.only_first_right.min(self.only_second_right),
            self.only_first_right.max(self.only_second_right),
        );
        // Both tails are equal. They share the middle of an even split, and then add up to more
        // than 1.
        (2.0 * lower_tail(fewer, fewer + more)).min(1.0)
    }
}

/// The smallest gain, in images, with which a predictor could pass McNemar's exact test at `alpha`
/// on `images` images, if it loses none that the other had. `None` if no gain could, because there
/// are too few images or `alpha` is not above 0.
///
/// At 0.05 it is 6 images, so that on 60 images a gain below 0.1 of accuracy can never be shown.
pub fn smallest_passing_gain(images: u64, alpha: f64) -> Option<u64> {
    // With n images won and none lost, p = 2 · 0.5ⁿ; 0.5ⁿ is 0 in an f64 from n = 1,075.
    let passes = |won: &u64| {
        let outcomes = PairedOutcomes { only_first_right: *won, ..PairedOutcomes::default() };
        outcomes.p_value() <= alpha
    };
    (alpha > 0.0).then(|| (1..=images).find(passes)).flatten()
}

/// The probability of at most `hits` in `tosses` of a fair coin; `hits` at most half of them.
fn lower_tail(hits: u64, tosses: u64) -> f64 {
    // ln of the binomial coefficient, factor by factor: 2^tosses overflows from 1,024 tosses.
    let log_coefficient: f64 =
        (1..=hits).map(|factor| ((tosses - hits + factor) as f64 / factor as f64).ln()).sum();
    let largest = (log_coefficient - tosses as f64 * std::f64::consts::LN_2).exp();
    // From the largest term down, each by its ratio to the one before, until the sum no longer
    // changes.
    let mut term = 1.0;
    let mut sum = 1.0;
    for count in (1..=hits).rev() {
        term *= count as f64 / (tosses - count + 1) as f64;
        if sum + term == sum {
            break;
        }
        sum += term;
    }
    largest * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_close;

    fn p_value(only_first_right: u64, only_second_right: u64) -> f64 {
        PairedOutcomes { only_first_right, only_second_right, both_right: 7, both_wrong: 3 }
            .p_value()
    }

    #[test]
    fn images_are_counted_by_who_was_right() {
        let first = [true, true, false, false, true];
        let second = [true, false, true, false, false];
        let expected = PairedOutcomes {
            both_right: 1,
            only_first_right: 2,
            only_second_right: 1,
            both_wrong: 1,
        };
        assert_eq!(PairedOutcomes::of(first, second), expected);
    }

    #[test]
    fn p_values_are_those_worked_out_by_hand() {
        assert_close(p_value(0, 5), 2.0 / 32.0);
        assert_close(p_value(6, 0), 2.0 / 64.0);
        // (1 + 9 + 36) of 512.
        assert_close(p_value(2, 7), 2.0 * 46.0 / 512.0);
        assert_eq!(p_value(2, 7), p_value(7, 2));
    }

    #[test]
    fn an_even_split_or_none_shows_nothing() {
        assert_eq!((p_value(4, 4), p_value(0, 0), p_value(0, 1)), (1.0, 1.0, 1.0));
    }

    #[test]
    fn thousands_of_images_neither_overflow_nor_vanish() {
        // The normal approximation with continuity correction: z = 199/√10,000 = 1.99.
        assert!((p_value(4_900, 5_100) - 0.0466).abs() < 1e-4, "{}", p_value(4_900, 5_100));
        assert!(p_value(0, 900) > 0.0);
        assert_eq!(p_value(0, 5_000), 0.0);
    }

    #[test]
    fn the_smallest_gain_passes_and_one_less_does_not() {
        assert_eq!(smallest_passing_gain(259, 0.05), Some(6));
        assert_eq!(smallest_passing_gain(259, 0.01), Some(8));
        assert!(p_value(6, 0) <= 0.05 && p_value(5, 0) > 0.05);
        assert!(p_value(8, 0) <= 0.01 && p_value(7, 0) > 0.01);
        assert_eq!(smallest_passing_gain(6, 0.05), Some(6));
        assert_eq!(smallest_passing_gain(5, 0.05), None);
    }

    #[test]
    fn losing_images_never_lets_a_smaller_gain_pass() {
        for lost in 1..200 {
            assert!(p_value(lost + 5, lost) > 0.05, "{lost} lost, {} won", lost + 5);
        }
    }

    #[test]
    fn at_no_risk_of_error_nothing_passes() {
        assert_eq!(smallest_passing_gain(5_000, 0.0), None);
        assert_eq!(smallest_passing_gain(100, f64::NAN), None);
        assert_eq!(smallest_passing_gain(100, 1.0), Some(1));
    }
}
