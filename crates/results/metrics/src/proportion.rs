//! A share of images, and its interval.

use serde::{Deserialize, Serialize};

/// The 0.975 quantile of the normal distribution: two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// A number of images out of all, with Wilson's 95 % interval (1927), as
/// `statsmodels.proportion_confint(method="wilson")` and SciPy's `proportion_ci`.
///
/// The interval treats the images as independent. If several come from one patient it is too
/// narrow: see [`Bootstrap`](crate::Bootstrap).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proportion {
    /// Images counted.
    pub hits: u64,
    /// All images; at least one.
    pub of: u64,
    /// `hits / of`.
    pub share: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

impl Proportion {
    /// The share of `hits` among `of` images; `None` without images, or when `hits` is more.
    pub fn new(hits: u64, of: u64) -> Option<Self> {
        if of == 0 || hits > of {
            return None;
        }
        let images = of as f64;
        let share = hits as f64 / images;
        let squared = Z * Z;
        let centre = share + squared / (2.0 * images);
        let reach = Z * (share * (1.0 - share) / images + squared / (4.0 * images * images)).sqrt();
        let scale = 1.0 + squared / images;
        // Exactly 0 and 1 at the ends, which rounding would miss.
        let low = if hits == 0 { 0.0 } else { (centre - reach) / scale };
        let high = if hits == of { 1.0 } else { (centre + reach) / scale };
        Some(Self { hits, of, share, low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_twenty_reaches_from_three_to_seven_tenths() {
        let half = Proportion::new(10, 20).unwrap();
        assert_eq!(half.share, 0.5);
        assert!((half.low - 0.299_298).abs() < 1e-6, "{half:?}");
        assert!((half.high - 0.700_702).abs() < 1e-6, "{half:?}");
    }

    #[test]
    fn the_ends_stay_between_zero_and_one_and_do_not_collapse() {
        let none = Proportion::new(0, 10).unwrap();
        assert_eq!((none.share, none.low), (0.0, 0.0));
        assert!((none.high - 0.277_533).abs() < 1e-6, "{none:?}");
        let all = Proportion::new(10, 10).unwrap();
        assert_eq!((all.share, all.high), (1.0, 1.0));
        assert!((all.low - (1.0 - 0.277_533)).abs() < 1e-6, "{all:?}");
    }

    #[test]
    fn nothing_is_no_share_of_nothing() {
        assert_eq!(Proportion::new(0, 0), None);
        assert_eq!(Proportion::new(3, 2), None);
    }
}
