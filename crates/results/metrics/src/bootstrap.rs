//! How much a score depends on the choice of the measured images.
//!
//! The percentile bootstrap (Efron 1979) over groups. Patients are drawn, not slices, because
//! slices of one patient are right or wrong together, and an interval that treats them as
//! independent is too narrow. The interval only covers the random choice of groups, not the
//! variation between training runs.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::resample::{Groups, Sample};
use crate::{CONFIDENCE, Proportion};

/// How images are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// The seed: resample `r` of a seed is always the same.
    pub seed: u64,
    /// Number of resamples; each draws as many groups as there are.
    pub resamples: u32,
}

/// A score and its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The score of all images; `None` if it is undefined.
    pub value: Option<f64>,
    /// The 95 % interval. `None` if the score is undefined on all images or on more than half of
    /// the resamples (the remaining ones would be a selection), and if there are fewer than two
    /// groups to draw from.
    pub interval: Option<Interval>,
    /// Number of resamples on which the score is defined, which the interval is based on.
    pub resamples: u32,
}

/// The range of 95 % of the resampled scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The 2.5th percentile.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

/// Two predictors on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The first predictor's score of all images.
    pub first: Option<f64>,
    /// The second predictor's score of all images.
    pub second: Option<f64>,
    /// First minus second, on the same draws: effects that make an image hard for both cancel out.
    pub difference: Estimate,
    /// How likely chance alone would reverse the difference: twice the smaller of the shares of
    /// resamples without a gain and without a loss, each counted with one extra resample, so that
    /// it is never 0. Reads as a two-sided p-value, to the resolution of the resamples. `None` if
    /// there is no interval.
    pub p_value: Option<f64>,
}

impl Bootstrap {
    /// The default number of resamples: a percentile's own error is then about a tenth of the
    /// interval's half width.
    pub const RESAMPLES: u32 = 2_000;

    /// [`Bootstrap::RESAMPLES`] of a seed.
    pub fn of_seed(seed: u64) -> Self {
        Self { seed, resamples: Self::RESAMPLES }
    }

    /// The interval of one score. See [`Bootstrap::estimates`].
    pub fn estimate(
        &self,
        groups: &Groups,
        score: impl Fn(&Sample) -> Option<f64> + Sync,
    ) -> Estimate {
        let values = score(&Sample::everything(groups.images()));
        let resampled = self.resampled(groups, &score);
        Estimate::of(values, sorted(resampled), groups)
    }

    /// The intervals of several scores, from the same resamples.
    ///
    /// `scores` gets the images drawn and returns one value for each score, always in the same
    /// order; `None` and NaN if it is undefined on them. It is called once with all images, then
    /// for each resample, from several threads; the result does not depend on how many.
    ///
    /// # Panics
    /// When `scores` returns more values for some images than for others.
    pub fn estimates(
        &self,
        groups: &Groups,
        scores: impl Fn(&Sample) -> Vec<Option<f64>> + Sync,
    ) -> Vec<Estimate> {
        let values = scores(&Sample::everything(groups.images()));
        let resampled = self.resampled(groups, &scores);
        let column = |(number, &value): (usize, &Option<f64>)| {
            Estimate::of(value, sorted(column(&resampled, number, values.len())), groups)
        };
        values.iter().enumerate().map(column).collect()
    }

    /// How much better the first of two predictors is, score by score, from the same resamples:
    /// both see the same images. Values as in [`Bootstrap::estimates`]; a difference is undefined
    /// if either score is.
    ///
    /// # Panics
    /// When the two return different numbers of scores, or one returns more for some images than
    /// for others.
    pub fn differences(
        &self,
        groups: &Groups,
        first: impl Fn(&Sample) -> Vec<Option<f64>> + Sync,
        second: impl Fn(&Sample) -> Vec<Option<f64>> + Sync,
    ) -> Vec<Difference> {
        let pairs = |sample: &Sample| {
            let (first, second) = (first(sample), second(sample));
            assert_eq!(first.len(), second.len(), "two predictors, but not the same scores");
            first.into_iter().zip(second).collect::<Vec<_>>()
        };
        let values = pairs(&Sample::everything(groups.images()));
        let resampled = self.resampled(groups, |sample: &Sample| -> Vec<_> {
            pairs(sample).into_iter().map(|(first, second)| Some(first? - second?)).collect()
        });
        let difference = |(number, &(first, second)): (usize, &(Option<f64>, Option<f64>))| {
            let differences = sorted(column(&resampled, number, values.len()));
            let value = first.zip(second).map(|(first, second)| first - second);
            let p_value = two_sided(&differences);
            let difference = Estimate::of(value, differences, groups);
            let p_value = difference.interval.and(p_value);
            Difference { first: defined(first), second: defined(second), difference, p_value }
        };
        values.iter().enumerate().map(difference).collect()
    }

    /// A value for each resample, in their order.
    fn resampled<T: Send>(&self, groups: &Groups, value: impl Fn(&Sample) -> T + Sync) -> Vec<T> {
        let resample = |number: u32| value(&groups.resample(self.seed, u64::from(number)));
        (0..self.resamples).into_par_iter().map(resample).collect()
    }
}

impl Estimate {
    /// `resampled` sorted, without undefined values; from `asked` resamples.
    fn of(value: Option<f64>, resampled: Resampled, groups: &Groups) -> Self {
        let value = defined(value);
        let Resampled { sorted, asked } = resampled;
        let trusted = value.is_some() && groups.len() >= 2 && 2 * sorted.len() >= asked;
        let tail = (1.0 - CONFIDENCE) / 2.0;
        let interval = match (percentile(&sorted, tail), percentile(&sorted, 1.0 - tail)) {
            (Some(low), Some(high)) if trusted => Some(Interval { low, high }),
            _ => None,
        };
        Self { value, interval, resamples: sorted.len() as u32 }
    }
}

impl Estimate {
    /// The same, but with Wilson's interval if the interval of the resamples has shrunk to the
    /// point 0 or 1.
    pub(crate) fn not_collapsed(self, groups: &Groups) -> Self {
        let all = groups.len() as u64;
        let hits = match self.interval {
            Some(Interval { low, high }) if low == high && low == 1.0 => all,
            Some(Interval { low, high }) if low == high && low == 0.0 => 0,
            _ => return self,
        };
        let wilson = Proportion::new(hits, all);
        Self { interval: wilson.map(|it| Interval { low: it.low, high: it.high }), ..self }
    }
}

/// The defined values of one score on the resamples.
struct Resampled {
    /// In ascending order.
    sorted: Vec<f64>,
    /// Number of resamples drawn, whether or not the score is defined on them.
    asked: usize,
}

fn defined(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn sorted(values: impl IntoIterator<Item = Option<f64>, IntoIter: ExactSizeIterator>) -> Resampled {
    let values = values.into_iter();
    let asked = values.len();
    let mut sorted: Vec<f64> = values.filter_map(defined).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    Resampled { sorted, asked }
}

/// Score `number` of each resample, of `scores`.
fn column(
    resampled: &[Vec<Option<f64>>],
    number: usize,
    scores: usize,
) -> impl ExactSizeIterator<Item = Option<f64>> {
    resampled.iter().map(move |values| {
        assert_eq!(values.len(), scores, "some resamples have other scores than others");
        values[number]
    })
}

/// The value below which a `share` of sorted values lies, interpolated between the two nearest: the
/// default of `numpy.percentile`. `None` if there are none.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share * last as f64;
    let below = position.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(low + (high - low) * (position - below as f64))
}

/// The share described at [`Difference::p_value`].
fn two_sided(differences: &Resampled) -> Option<f64> {
    let sorted = &differences.sorted;
    let no_gain = sorted.partition_point(|&difference| difference <= 0.0);
    let no_loss = sorted.len() - sorted.partition_point(|&difference| difference < 0.0);
    let rarer = no_gain.min(no_loss) + 1;
    (!sorted.is_empty()).then(|| (2.0 * rarer as f64 / (sorted.len() + 1) as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mean;
    use crate::testing::assert_close;

    /// The mean of `values` over the images drawn.
    fn mean_of(values: &[f64]) -> impl Fn(&Sample) -> Option<f64> + Sync {
        |sample| mean(sample.images().iter().map(|&image| values[image]))
    }

    fn ramp(images: usize) -> Vec<f64> {
        (0..images).map(|image| image as f64 / images as f64).collect()
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_the_normal_distribution() {
        let values = ramp(400);
        let found = Bootstrap::of_seed(5).estimate(&Groups::singletons(400), mean_of(&values));
        let interval = found.interval.unwrap();
        // The ramp's standard deviation is √(1/12); 1.96 standard errors are 0.0283.
        assert_close(found.value.unwrap(), 0.49875);
        assert!((interval.low - (0.49875 - 0.0283)).abs() < 0.003, "{interval:?}");
        assert!((interval.high - (0.49875 + 0.0283)).abs() < 0.003, "{interval:?}");
        assert_eq!(found.resamples, Bootstrap::RESAMPLES);
    }

    #[test]
    fn slices_of_few_patients_have_a_wider_interval() {
        let values = ramp(400);
        let bootstrap = Bootstrap::of_seed(5);
        let width = |groups: &Groups| {
            let interval = bootstrap.estimate(groups, mean_of(&values)).interval.unwrap();
            interval.high - interval.low
        };
        let patients = Groups::of((0..400).map(|image| image / 20));
        let ratio = width(&patients) / width(&Groups::singletons(400));
        // Slices of one patient are nearly the same: 20 of them count as one, √20 = 4.5.
        assert!((3.9..5.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let values: Vec<f64> = ramp(97).iter().map(|value| (value * 40.0).sin()).collect();
        let groups = Groups::of((0..97).map(|image| image / 3));
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Bootstrap::of_seed(9).estimate(&groups, mean_of(&values)))
        };
        let one = on(1);
        assert_eq!(one, on(4));
        let other_seed = Bootstrap::of_seed(10).estimate(&groups, mean_of(&values));
        assert_ne!(one.interval, other_seed.interval);
    }

    #[test]
    fn several_scores_get_the_intervals_that_each_gets_alone() {
        let (up, down) =
            (ramp(50), ramp(50).iter().map(|value| 1.0 - value * value).collect::<Vec<_>>());
        let (bootstrap, groups) = (Bootstrap::of_seed(2), Groups::singletons(50));
        let both = bootstrap
            .estimates(&groups, |sample| vec![mean_of(&up)(sample), mean_of(&down)(sample)]);
        let alone = [&up, &down].map(|values| bootstrap.estimate(&groups, mean_of(values)));
        assert_eq!(both, alone);
    }

    #[test]
    fn what_is_undefined_on_some_resamples_says_on_how_many_it_rests() {
        // Of ten images the first is in a resample with probability 1 − 0.9¹⁰ = 0.651.
        let (bootstrap, groups) = (Bootstrap::of_seed(1), Groups::singletons(10));
        let drawn = |sample: &Sample| (sample.times()[0] > 0).then_some(1.0);
        let found = bootstrap.estimate(&groups, drawn);
        assert!((1_238..1_367).contains(&found.resamples), "{found:?}");
        assert_eq!(found.interval, Some(Interval { low: 1.0, high: 1.0 }));

        let both = |sample: &Sample| drawn(sample).filter(|_| sample.times()[1] > 0);
        let rare = bootstrap.estimate(&groups, both);
        assert!(rare.resamples < 1_000, "{rare:?}");
        assert_eq!((rare.value, rare.interval), (Some(1.0), None));
    }

    #[test]
    fn three_right_answers_of_three_are_no_certainty() {
        let (bootstrap, groups) = (Bootstrap::of_seed(1), Groups::singletons(3));
        let always = bootstrap.estimate(&groups, |_| Some(1.0)).not_collapsed(&groups);
        // statsmodels.stats.proportion.proportion_confint(3, 3, method="wilson")
        let interval = always.interval.unwrap();
        assert!((interval.low - 0.438_503).abs() < 1e-6 && interval.high == 1.0, "{interval:?}");
        let never = bootstrap.estimate(&groups, |_| Some(0.0)).not_collapsed(&groups);
        assert!((never.interval.unwrap().high - 0.561_497).abs() < 1e-6);
        let varies = bootstrap.estimate(&groups, mean_of(&[0.0, 1.0, 1.0]));
        assert_eq!(varies.not_collapsed(&groups), varies);
    }

    #[test]
    fn nan_is_undefined() {
        let nan = Bootstrap::of_seed(1).estimate(&Groups::singletons(4), |_| Some(f64::NAN));
        assert_eq!(nan, Estimate { value: None, interval: None, resamples: 0 });
    }

    #[test]
    fn one_group_or_none_has_no_interval() {
        let values = ramp(8);
        let one = Bootstrap::of_seed(1).estimate(&Groups::of([0; 8]), mean_of(&values));
        assert_eq!((one.value, one.interval), (Some(0.4375), None));
        let none = Bootstrap::of_seed(1).estimate(&Groups::singletons(0), mean_of(&values));
        assert_eq!((none.value, none.interval), (None, None));
    }

    #[test]
    fn a_constant_gain_is_certain_however_much_the_scores_vary() {
        let worse = ramp(60);
        let better: Vec<f64> = worse.iter().map(|value| value + 0.125).collect();
        let groups = Groups::singletons(60);
        let found = Bootstrap::of_seed(4).differences(
            &groups,
            |sample| vec![mean_of(&better)(sample), mean_of(&worse)(sample)],
            |sample| vec![mean_of(&worse)(sample), mean_of(&better)(sample)],
        );
        let [gain, loss] = found[..] else { panic!("two scores") };
        let interval = gain.difference.interval.unwrap();
        assert_close(interval.low, 0.125);
        assert_close(interval.high, 0.125);
        assert_close(gain.first.unwrap() - gain.second.unwrap(), 0.125);
        assert_close(gain.p_value.unwrap(), 2.0 / 2_001.0);
        assert_close(loss.difference.value.unwrap(), -0.125);
        assert_close(loss.p_value.unwrap(), 2.0 / 2_001.0);
    }

    #[test]
    fn equal_predictors_differ_by_nothing() {
        let values = ramp(30);
        let score = |sample: &Sample| vec![mean_of(&values)(sample)];
        let found = Bootstrap::of_seed(4).differences(&Groups::singletons(30), score, score);
        assert_eq!(found[0].difference.interval, Some(Interval { low: 0.0, high: 0.0 }));
        assert_eq!(found[0].p_value, Some(1.0));
    }

    #[test]
    fn the_p_value_is_below_a_twentieth_where_the_interval_leaves_zero_out() {
        let (bootstrap, groups) = (Bootstrap::of_seed(8), Groups::singletons(40));
        let mut seen = [false; 2];
        for step in 0..40 {
            let gain: Vec<f64> = ramp(40).iter().map(|v| v - f64::from(step) / 40.0).collect();
            let found = bootstrap.differences(
                &groups,
                |sample| vec![mean_of(&gain)(sample)],
                |_| vec![Some(0.0)],
            )[0];
            let interval = found.difference.interval.unwrap();
            let zero_inside = interval.low <= 0.0 && interval.high >= 0.0;
            seen[usize::from(zero_inside)] = true;
            assert_eq!(zero_inside, found.p_value.unwrap() > 0.05, "{found:?}");
        }
        assert_eq!(seen, [true; 2]);
    }

    #[test]
    fn a_difference_from_what_is_undefined_is_undefined() {
        let found = Bootstrap::of_seed(4).differences(
            &Groups::singletons(5),
            |_| vec![Some(0.5)],
            |_| vec![None],
        )[0];
        assert_eq!((found.first, found.second, found.p_value), (Some(0.5), None, None));
        assert_eq!(found.difference, Estimate { value: None, interval: None, resamples: 0 });
    }

    #[test]
    fn percentiles_are_interpolated_as_numpy_does() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(percentile(&sorted, 0.0), Some(1.0));
        assert_eq!(percentile(&sorted, 0.5), Some(3.0));
        assert_eq!(percentile(&sorted, 0.75), Some(5.0));
        assert_eq!(percentile(&sorted, 1.0), Some(8.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
