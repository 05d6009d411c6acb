//! Compares the images of a window with those of the calibration.

use classifier::drift::DriftReference;
use metrics::Departure;
use prediction_store::SeenImage;
use services::DriftConfig;

use crate::drift::outcome::{Signal, SignalOutcome};

/// The probability of a false alarm of one signal in one window, so that over all signals one false
/// alarm is expected in `false_alarm_days`.
pub(crate) fn level_of(config: &DriftConfig) -> f64 {
    let windows_per_day = 24.0 / f64::from(config.window_hours);
    1.0 / (config.false_alarm_days * windows_per_day * Signal::ALL.len() as f64)
}

/// Every signal that can be compared.
pub(crate) fn compare(
    reference: &DriftReference,
    images: &[SeenImage],
    level: f64,
) -> Vec<SignalOutcome> {
    let values = |of: fn(&SeenImage) -> Option<f64>| -> Vec<f64> {
        images.iter().filter_map(of).filter(|value| value.is_finite()).collect()
    };
    let departure = |signal| match signal {
        Signal::FeatureDistance => {
            let window = values(|image| image.feature_distance);
            Departure::of_values(&reference.feature_distances, &window, level)
        }
        Signal::GreyDistance => {
            let window = values(|image| image.grey_correlation.map(|it| 1.0 - it));
            Departure::of_values(&reference.grey_distances, &window, level)
        }
        Signal::Confidence => {
            let window = values(|image| image.confidence);
            Departure::of_values(&reference.confidences, &window, level)
        }
        Signal::ClassShares => {
            let counts: Vec<u64> = reference.predicted.values().copied().collect();
            let of_class = |class: &String| {
                images.iter().filter(|image| image.class.as_ref() == Some(class)).count() as u64
            };
            let window: Vec<u64> = reference.predicted.keys().map(of_class).collect();
            Departure::of_counts(&counts, &window, level)
        }
    };
    let outcome = |signal| Some(SignalOutcome::new(signal, departure(signal)?));
    Signal::ALL.into_iter().filter_map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn image(random: &mut ChaCha8Rng, shift: f64) -> SeenImage {
        let class = if random.random::<f64>() < 0.3 { "tumour" } else { "normal" };
        SeenImage {
            class: Some(class.into()),
            confidence: Some(0.5 + random.random::<f64>() / 2.0),
            grey_correlation: Some(1.0 - random.random::<f64>() / 10.0),
            feature_distance: Some(1.0 + random.random::<f64>() + shift),
        }
    }

    fn reference(random: &mut ChaCha8Rng, images: usize) -> DriftReference {
        let seen: Vec<SeenImage> = (0..images).map(|_| image(random, 0.0)).collect();
        let values = |of: fn(&SeenImage) -> Option<f64>| seen.iter().filter_map(of).collect();
        let mut predicted = BTreeMap::new();
        for class in seen.iter().filter_map(|image| image.class.clone()) {
            *predicted.entry(class).or_insert(0) += 1;
        }
        DriftReference::new(
            values(|image| image.feature_distance),
            values(|image| image.grey_correlation.map(|it| 1.0 - it)),
            values(|image| image.confidence),
            predicted,
        )
    }

    fn alarms(outcomes: &[SignalOutcome]) -> Vec<Signal> {
        outcomes.iter().filter(|it| it.alarm).map(|it| it.signal).collect()
    }

    #[test]
    fn the_level_is_one_false_alarm_a_month_by_default() {
        let daily = DriftConfig::default();
        assert!((level_of(&daily) - 1.0 / 120.0).abs() < 1e-12);
        let hourly = DriftConfig { window_hours: 1, ..daily };
        assert!((level_of(&hourly) - 1.0 / 2880.0).abs() < 1e-12);
    }

    /// Ten years of days that are like the calibration, which is another one in every year.
    #[test]
    fn one_false_alarm_is_seen_in_a_month() {
        let mut random = ChaCha8Rng::seed_from_u64(17);
        let level = level_of(&DriftConfig::default());
        let (mut days, mut false_alarms) = (0_u32, 0);
        for _ in 0..10 {
            let reference = reference(&mut random, 685);
            for _ in 0..365 {
                let window: Vec<_> = (0..100).map(|_| image(&mut random, 0.0)).collect();
                false_alarms += alarms(&compare(&reference, &window, level)).len();
                days += 1;
            }
        }
        // 121.7 are expected at most; twice the deviation of such a count is 22. Limits for large
        // samples make false alarms a little rarer.
        let expected = f64::from(days) / 30.0;
        assert!((false_alarms as f64) < expected + 22.0, "{false_alarms} in {days} days");
        assert!((false_alarms as f64) > expected / 3.0, "{false_alarms} in {days} days");
    }

    /// Twenty windows with the planted shift: every one is noticed, and other signals alarm no more
    /// often than by chance.
    #[track_caller]
    fn assert_named(signal: Signal, mut image: impl FnMut(&mut ChaCha8Rng) -> SeenImage) {
        let mut random = ChaCha8Rng::seed_from_u64(17);
        let reference = reference(&mut random, 685);
        let level = level_of(&DriftConfig::default());
        let mut others = 0;
        for _ in 0..20 {
            let window: Vec<_> = (0..100).map(|_| image(&mut random)).collect();
            let alarms = alarms(&compare(&reference, &window, level));
            assert!(alarms.contains(&signal), "{alarms:?}");
            others += alarms.len() - 1;
        }
        // Half of one is expected in 60 comparisons.
        assert!(others <= 3, "{others}");
    }

    #[test]
    fn a_planted_shift_is_named_by_its_signal() {
        assert_named(Signal::FeatureDistance, |random| image(random, 0.5));
        assert_named(Signal::ClassShares, |random| {
            let tumour = || Some("tumour".to_owned());
            SeenImage { class: tumour(), ..image(random, 0.0) }
        });
    }

    #[test]
    fn what_was_not_measured_is_not_compared() {
        let mut random = ChaCha8Rng::seed_from_u64(17);
        let reference = reference(&mut random, 100);
        let refused = SeenImage {
            class: None,
            confidence: None,
            grey_correlation: Some(0.99),
            feature_distance: Some(1.5),
        };
        let outcomes = compare(&reference, &vec![refused; 60], 0.01);
        let signals: Vec<Signal> = outcomes.iter().map(|it| it.signal).collect();
        assert_eq!(signals, [Signal::FeatureDistance, Signal::GreyDistance]);
    }
}
