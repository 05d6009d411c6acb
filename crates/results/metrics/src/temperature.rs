//! One number that calibrates a network's probabilities without changing its predictions.
//!
//! Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks"): the logits
//! are divided by `T` before the softmax. `T > 1` makes an overconfident network less confident. It
//! is fitted on images that the network was not trained on, by the mean negative log-likelihood,
//! which is convex in the sharpness `β = 1 / T`:
//!
//! ```text
//! loss(β)  = mean over images of  ln Σⱼ exp(β zⱼ) − β z_actual
//! loss′(β) = mean over images of  E(z) − z_actual          E, Var: under softmax(β z)
//! loss″(β) = mean over images of  Var(z) ≥ 0
//! ```
//!
//! so its derivative rises and crosses 0 at most once.

use std::ops::Range;

use dataset::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::labelled::{Labelled, LabelledError};
use crate::loss::cross_entropy;
use crate::mean;
use crate::predictions::Predictions;

/// The divisor of logits: a positive, finite number. 1 changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Temperature(f64);

/// A number that cannot be a temperature.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the temperature is {0}; expected a positive, finite number")]
pub struct TemperatureError(pub f64);

/// Outputs of a network before the softmax, `[images, classes]`, all finite, with each image's
/// class.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledLogits(Labelled);

/// A fitted temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemperatureFit {
    /// The temperature of the lowest loss between [`Temperature::LOWEST`] and
    /// [`Temperature::HIGHEST`]; 1 if the images do not determine one.
    pub temperature: Temperature,
    /// Whether it is a minimum of the loss, or else why the search stopped.
    pub outcome: TemperatureOutcome,
    /// Number of images it was fitted on.
    pub images: u64,
    /// Mean cross-entropy at temperature 1, in nats; `None` without images.
    pub loss_before: Option<f64>,
    /// Mean cross-entropy at the fitted temperature, in nats; never more than before. `None`
    /// without images.
    pub loss_after: Option<f64>,
}

/// The end of the search for a temperature. Only [`Minimum`](Self::Minimum) is a calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemperatureOutcome {
    /// The loss is lowest here.
    Minimum,
    /// The loss still falls at [`Temperature::LOWEST`]: every image, or nearly every, is right
    /// whatever the confidence. The images are too few or too easy to determine the confidence.
    LowestAllowed,
    /// The loss still falls at [`Temperature::HIGHEST`]: the network is no better than chance on
    /// these images, so that uniform probabilities are best.
    HighestAllowed,
    /// The loss is the same at any temperature: there are no images, the logits of each are all
    /// equal, or each is right with a probability that an f64 cannot distinguish from 1.
    Undetermined,
}

impl Temperature {
    /// The unchanged softmax.
    pub const ONE: Self = Self(1.0);
    /// The lowest temperature that a fit returns.
    pub const LOWEST: Self = Self(0.05);
    /// The highest temperature that a fit returns.
    pub const HIGHEST: Self = Self(20.0);

    /// Checks a number.
    ///
    /// # Errors
    /// When it is not above 0, or not finite, or its inverse is not.
    pub fn new(temperature: f64) -> Result<Self, TemperatureError> {
        let usable =
            temperature > 0.0 && temperature.is_finite() && (1.0 / temperature).is_finite();
        if usable { Ok(Self(temperature)) } else { Err(TemperatureError(temperature)) }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }

    fn sharpness(self) -> f64 {
        1.0 / self.0
    }

    fn of_sharpness(sharpness: f64) -> Self {
        Self(1.0 / sharpness)
    }
}

impl TryFrom<f64> for Temperature {
    type Error = TemperatureError;

    fn try_from(temperature: f64) -> Result<Self, TemperatureError> {
        Self::new(temperature)
    }
}

impl From<Temperature> for f64 {
    fn from(temperature: Temperature) -> Self {
        temperature.0
    }
}

impl LabelledLogits {
    /// Gathers one `(class, logits)` per image.
    ///
    /// # Errors
    /// When a row does not hold one finite number per class, or an image is of a class beyond the
    /// last.
    pub fn new<R: AsRef<[f64]>>(
        classes: usize,
        rows: impl IntoIterator<Item = (ClassIndex, R)>,
    ) -> Result<Self, LabelledError> {
        let check = |image, row: &[f64]| match row.iter().find(|logit| !logit.is_finite()) {
            Some(&value) => Err(LabelledError::NotFinite { image, value }),
            None => Ok(()),
        };
        Labelled::new(classes, rows, check).map(Self)
    }

    /// The probabilities at a temperature.
    pub fn probabilities(&self, temperature: Temperature) -> Predictions {
        let rows =
            self.0.rows().map(|(actual, row)| (actual, softmax_with_temperature(row, temperature)));
        let table = Labelled::new(self.0.classes(), rows, |_, _| Ok(()));
        Predictions::of(table.expect("as many columns and the same classes as the logits"))
    }

    /// The mean cross-entropy at a temperature, in nats, computed from the logits, so that nothing
    /// is clipped; `None` without images.
    pub fn cross_entropy(&self, temperature: Temperature) -> Option<f64> {
        let mut scaled = Vec::with_capacity(self.0.classes());
        mean(self.0.rows().map(|(actual, row)| {
            scaled.clear();
            scaled.extend(row.iter().map(|logit| logit / temperature.0));
            cross_entropy(&scaled, actual)
        }))
    }

    /// The temperature at which the mean cross-entropy is lowest. [`TemperatureOutcome`] describes
    /// the cases without one.
    pub fn fit_temperature(&self) -> TemperatureFit {
        let (sharpness, outcome) = self.best_sharpness();
        let temperature = match outcome {
            TemperatureOutcome::Minimum => Temperature::of_sharpness(sharpness),
            TemperatureOutcome::LowestAllowed => Temperature::LOWEST,
            TemperatureOutcome::HighestAllowed => Temperature::HIGHEST,
            TemperatureOutcome::Undetermined => Temperature::ONE,
        };
        TemperatureFit {
            temperature,
            outcome,
            images: self.0.len() as u64,
            loss_before: self.cross_entropy(Temperature::ONE),
            loss_after: self.cross_entropy(temperature),
        }
    }

    fn best_sharpness(&self) -> (f64, TemperatureOutcome) {
        let (low, high) = (Temperature::HIGHEST.sharpness(), Temperature::LOWEST.sharpness());
        match (self.slope(low).first >= 0.0, self.slope(high).first <= 0.0) {
            (true, true) => (1.0, TemperatureOutcome::Undetermined),
            (true, false) => (low, TemperatureOutcome::HighestAllowed),
            (false, true) => (high, TemperatureOutcome::LowestAllowed),
            (false, false) => (
                crossing(low..high, |sharpness| self.slope(sharpness)),
                TemperatureOutcome::Minimum,
            ),
        }
    }

    /// The derivatives of the loss, summed over images in their order.
    fn slope(&self, sharpness: f64) -> Slope {
        let mut total = Slope { first: 0.0, second: 0.0 };
        for (actual, row) in self.0.rows() {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let (mut weights, mut sum, mut squares) = (0.0, 0.0, 0.0);
            // Relative to the actual class: an image that is certainly right then adds exactly its
            // tiny loss, and not the difference of two large numbers.
            for logit in row {
                let weight = (sharpness * (logit - largest)).exp();
                let relative = logit - row[actual.0];
                weights += weight;
                sum += weight * relative;
                squares += weight * relative * relative;
            }
            let expected = sum / weights;
            total.first += expected;
            total.second += squares / weights - expected * expected;
        }
        total
    }
}

/// First and second derivative of the loss.
struct Slope {
    first: f64,
    second: f64,
}

/// Finds where a rising derivative crosses 0 within `bracket`, which contains 1: Newton's method,
/// kept in the bracket that each step narrows. A step that would leave it, or is more than half of
/// the one before, is replaced by halving the bracket.
fn crossing(bracket: Range<f64>, mut slope: impl FnMut(f64) -> Slope) -> f64 {
    /// Halving alone reaches neighbouring floats in fewer steps.
    const STEPS: usize = 100;

    let Range { start: mut low, end: mut high } = bracket;
    let mut at = 1.0;
    let mut step_before = high - low;
    for _ in 0..STEPS {
        let slope = slope(at);
        let newton = at - slope.first / slope.second;
        // As near as rounding allows: a smaller step would be zero, and would be mistaken for a
        // step that leaves the bracket.
        if (newton - at).abs() <= f64::EPSILON * at {
            break;
        }
        *if slope.first < 0.0 { &mut low } else { &mut high } = at;
        // A NaN is in no bracket.
        let converges =
            newton > low && newton < high && (newton - at).abs() < step_before.abs() / 2.0;
        let next = if converges { newton } else { low + (high - low) / 2.0 };
        step_before = next - at;
        at = next;
        if step_before.abs() <= f64::EPSILON * at {
            break;
        }
    }
    at
}

/// `softmax(logits / temperature)`, probabilities that add up to 1. Large logits do not overflow.
///
/// `logits` must be finite; without logits there are no probabilities.
pub fn softmax_with_temperature(logits: &[f64], temperature: Temperature) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> =
        logits.iter().map(|logit| ((logit - largest) / temperature.0).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_some_close};

    fn logits<const C: usize>(rows: &[(usize, [f64; C])]) -> LabelledLogits {
        LabelledLogits::new(C, rows.iter().map(|(class, row)| (ClassIndex(*class), row))).unwrap()
    }

    /// `right` images of logits (z, 0) that are of class 0, and `wrong` that are not.
    fn two_classes(z: f64, right: usize, wrong: usize) -> LabelledLogits {
        logits(&[vec![(0, [z, 0.0]); right], vec![(1, [z, 0.0]); wrong]].concat())
    }

    #[test]
    fn the_confidence_becomes_the_accuracy() {
        // σ(z / T) = 0.75 where z / T = ln 3.
        for z in [0.5, 1.0, 3.0, 12.0] {
            let fit = two_classes(z, 3, 1).fit_temperature();
            assert_eq!(fit.outcome, TemperatureOutcome::Minimum);
            assert_close(fit.temperature.get() / z, 1.0 / 3.0_f64.ln());
            let entropy = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
            assert_some_close(fit.loss_after, entropy);
        }
    }

    #[test]
    fn a_few_steps_reach_the_minimum_wherever_it_is() {
        for accuracy in [0.6, 0.75, 0.9, 0.975] {
            // σ(z · sharpness) is the accuracy at a sharpness of 0.06 to 17.
            for sharpness in [0.06, 0.3, 1.0, 4.0, 17.0] {
                let z = f64::ln(accuracy / (1.0 - accuracy)) / sharpness;
                let right = (accuracy * 40.0).round() as usize;
                let images = two_classes(z, right, 40 - right);
                let mut steps = 0;
                let found = crossing(0.05..20.0, |at| {
                    steps += 1;
                    images.slope(at)
                });
                assert_close(found / sharpness, 1.0);
                // Halving alone takes 50.
                assert!(steps <= 20, "{steps} steps to {sharpness}");
            }
        }
    }

    #[test]
    fn no_other_temperature_has_a_lower_loss() {
        let images = logits(&[
            (0, [4.0, 1.0, -2.0]),
            (1, [3.0, 2.5, 0.0]),
            (2, [-1.0, 0.5, 6.0]),
            (2, [7.0, -3.0, 1.0]),
            (1, [0.0, 5.0, 4.5]),
        ]);
        let fit = images.fit_temperature();
        assert_eq!((fit.outcome, fit.images), (TemperatureOutcome::Minimum, 5));
        for factor in [0.5, 0.9, 0.999, 1.001, 1.1, 2.0] {
            let other = Temperature::new(fit.temperature.get() * factor).unwrap();
            assert!(images.cross_entropy(other) > fit.loss_after, "{factor}");
        }
        assert!(fit.loss_after < fit.loss_before);
    }

    #[test]
    fn hotter_logits_are_cooled_in_proportion() {
        let rows = [(0, [1.0, 0.2]), (1, [0.7, 0.1]), (0, [0.9, -0.4]), (1, [-0.5, 0.3])];
        let fit = logits(&rows).fit_temperature().temperature.get();
        let hotter = rows.map(|(class, row)| (class, row.map(|logit| logit * 4.0)));
        assert_close(logits(&hotter).fit_temperature().temperature.get() / fit, 4.0);
    }

    #[test]
    fn images_that_are_all_right_ask_for_ever_more_confidence() {
        let fit = two_classes(2.0, 5, 0).fit_temperature();
        assert_eq!(fit.outcome, TemperatureOutcome::LowestAllowed);
        assert_eq!(fit.temperature, Temperature::LOWEST);
    }

    #[test]
    fn images_that_are_all_wrong_ask_for_ever_less() {
        let fit = two_classes(2.0, 0, 5).fit_temperature();
        assert_eq!(fit.outcome, TemperatureOutcome::HighestAllowed);
        assert_eq!(fit.temperature, Temperature::HIGHEST);
        assert!(fit.loss_after < fit.loss_before);
    }

    #[test]
    fn certainty_beyond_an_f64_determines_nothing() {
        let certain = two_classes(1e9, 5, 0).fit_temperature();
        assert_eq!(certain.outcome, TemperatureOutcome::Undetermined);
        assert_eq!((certain.temperature, certain.loss_after), (Temperature::ONE, Some(0.0)));
        // One mistake among them decides: no allowed temperature is high enough.
        let mistaken = two_classes(1e9, 5, 1).fit_temperature();
        assert_eq!(mistaken.outcome, TemperatureOutcome::HighestAllowed);
        assert!(mistaken.loss_after.unwrap().is_finite());
    }

    #[test]
    fn the_largest_logits_there_are_do_not_break_the_fit() {
        let huge = f64::MAX / 4.0;
        let fit = logits(&[(0, [huge, -huge]), (1, [huge, -huge])]).fit_temperature();
        assert_eq!(fit.outcome, TemperatureOutcome::HighestAllowed);
    }

    #[test]
    fn logits_that_say_nothing_determine_nothing() {
        let alike = logits(&[(0, [0.5; 4]), (3, [-2.0; 4])]).fit_temperature();
        assert_eq!(alike.outcome, TemperatureOutcome::Undetermined);
        assert_some_close(alike.loss_after, 4.0_f64.ln());
        let none = logits::<2>(&[]).fit_temperature();
        assert_eq!((none.outcome, none.loss_before), (TemperatureOutcome::Undetermined, None));
        let one_class = logits(&[(0, [3.0])]).fit_temperature();
        assert_eq!(one_class.outcome, TemperatureOutcome::Undetermined);
    }

    #[test]
    fn a_minimum_just_inside_a_bound_is_found() {
        for temperature in [0.0501, 19.99] {
            let fit = two_classes(3.0_f64.ln() * temperature, 3, 1).fit_temperature();
            assert_eq!(fit.outcome, TemperatureOutcome::Minimum);
            assert_close(fit.temperature.get() / temperature, 1.0);
        }
    }

    #[test]
    fn a_softmax_at_temperature_one_is_the_softmax() {
        let probabilities =
            softmax_with_temperature(&[1000.0, 1000.0 + 3.0_f64.ln()], Temperature::ONE);
        assert!((probabilities[0] - 0.25).abs() < 1e-12, "{probabilities:?}");
        let warm = softmax_with_temperature(&[0.0, 2.0 * 3.0_f64.ln()], Temperature(2.0));
        assert_close(warm[0], 0.25);
        assert_eq!(softmax_with_temperature(&[], Temperature::ONE), [] as [f64; 0]);
    }

    #[test]
    fn a_temperature_changes_no_prediction_and_keeps_probabilities_valid() {
        let images = logits(&[(0, [4.0, 1.0, -2.0]), (2, [-500.0, 800.0, 799.0])]);
        for temperature in [Temperature::LOWEST, Temperature::ONE, Temperature::HIGHEST] {
            let found = images.probabilities(temperature);
            assert_eq!((found.predicted(0), found.predicted(1)), (ClassIndex(0), ClassIndex(1)));
            let checked = Predictions::new(3, found.rows());
            assert_eq!(checked.as_ref(), Ok(&found));
        }
    }

    #[test]
    fn logits_that_are_no_numbers_are_refused() {
        let refused = LabelledLogits::new(2, [(ClassIndex(0), [0.0, f64::INFINITY])]).unwrap_err();
        assert_eq!(refused, LabelledError::NotFinite { image: 0, value: f64::INFINITY });
    }

    #[test]
    fn a_temperature_is_written_as_a_number_and_checked_when_read() {
        let fit = two_classes(1.0, 3, 1).fit_temperature();
        let json = serde_json::to_value(fit).unwrap();
        assert_eq!(json["outcome"], "minimum");
        assert_eq!(json["temperature"], fit.temperature.get());
        assert_eq!(serde_json::from_value::<TemperatureFit>(json).unwrap(), fit);
        for number in ["0", "-1", "1e-320"] {
            let error = serde_json::from_str::<Temperature>(number).unwrap_err();
            assert!(error.to_string().contains("expected a positive, finite number"), "{error}");
        }
    }
}
