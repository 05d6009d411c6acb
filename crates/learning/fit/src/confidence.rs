//! Fits the model's confidence, and the probabilities from which on an image counts as positive.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use classifier::calibration::{BeforeAndAfter, OperatingPointOutcome, PositiveClasses};
use dataset::{ClassIndex, ClassIndices};
use metrics::{
    LabelledLogits, OperatingPoint, Predictions, Ranking, Reliability, Temperature, TemperatureFit,
    TemperatureOutcome,
};

/// Specificities for which to find a threshold.
const SPECIFICITIES: [f64; 2] = [0.90, 0.95];

/// Bins of the expected calibration error, as Guo et al. (2017).
const BINS: usize = 15;

/// How far the probabilities of a model can be trusted, and where its thresholds lie.
#[derive(Debug)]
pub struct Confidence {
    /// The divisor of the logits, and how it was found.
    pub temperature: TemperatureFit,
    /// Expected calibration error, before and after.
    pub expected_calibration_error: BeforeAndAfter,
    /// The classes that count as the finding, and thresholds; none if there are no such classes.
    pub positive: Option<PositiveClasses>,
    /// The calibrated probability of the predicted class, of every image.
    pub confidences: Vec<f64>,
    /// How often each class was predicted.
    pub predicted: BTreeMap<String, u64>,
}

impl Confidence {
    /// Fits the temperature, then the thresholds on the resulting probabilities.
    ///
    /// # Errors
    /// When a logit is no number, or `positive` names a class that there is not.
    pub fn fit(
        logits: &[(ClassIndex, Vec<f32>)],
        classes: &ClassIndices,
        positive: &[String],
    ) -> Result<Self> {
        let rows = logits.iter().map(|(class, row)| {
            (*class, row.iter().map(|logit| f64::from(*logit)).collect::<Vec<_>>())
        });
        let logits = LabelledLogits::new(classes.len(), rows)
            .context("calibrate the model: its output is not a number")?;
        let mut temperature = logits.fit_temperature();
        if temperature.outcome != TemperatureOutcome::Minimum {
            // The images do not determine the confidence, so the model's own is kept.
            temperature.temperature = Temperature::ONE;
            temperature.loss_after = temperature.loss_before;
        }
        let error = |temperature| {
            let predictions = logits.probabilities(temperature);
            Reliability::of_confidence(&predictions, BINS).expected_calibration_error
        };
        let expected_calibration_error = BeforeAndAfter {
            before: error(Temperature::ONE),
            after: error(temperature.temperature),
        };
        let predictions = logits.probabilities(temperature.temperature);
        let positive = if positive.is_empty() {
            None
        } else {
            Some(operating_points(&predictions, classes, positive)?)
        };
        let (confidences, predicted) = seen(&predictions, classes);
        Ok(Self { temperature, expected_calibration_error, positive, confidences, predicted })
    }
}

/// The probability of the predicted class of every image, and how often each class was predicted.
fn seen(predictions: &Predictions, classes: &ClassIndices) -> (Vec<f64>, BTreeMap<String, u64>) {
    let mut predicted: BTreeMap<String, u64> =
        classes.names().iter().map(|class| (class.clone(), 0)).collect();
    let confidence = |image: usize| {
        let class = predictions.predicted(image);
        *predicted.entry(classes.names()[class.0].clone()).or_default() += 1;
        predictions.probabilities(image)[class.0]
    };
    let confidences = (0..predictions.len()).map(confidence).collect();
    (confidences, predicted)
}

fn operating_points(
    predictions: &Predictions,
    classes: &ClassIndices,
    positive: &[String],
) -> Result<PositiveClasses> {
    let indices = positive
        .iter()
        .map(|class| classes.index(class))
        .collect::<Result<Vec<_>, _>>()
        .context("read data.positive in config.yaml")?;
    let ranking = Ranking::against_rest(predictions, &indices);
    let operating_points = SPECIFICITIES
        .map(|required| match OperatingPoint::at_specificity(&ranking, required) {
            Ok(point) => OperatingPointOutcome::Found(point),
            Err(reason) => OperatingPointOutcome::Missing(reason),
        })
        .to_vec();
    Ok(PositiveClasses { classes: positive.to_vec(), operating_points })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> ClassIndices {
        ClassIndices::of_names(["cancer", "normal"])
    }

    /// Twice too confident: logits ±2 where ±1 would fit. σ(1) = 0.731 of them are right.
    fn overconfident() -> Vec<(ClassIndex, Vec<f32>)> {
        let image = |number: usize| {
            let actual = ClassIndex(number % 2);
            let right = number % 1000 < 731;
            let shown = if right { actual.0 } else { 1 - actual.0 };
            (actual, (0..2).map(|class| if class == shown { 1.0 } else { -1.0 }).collect())
        };
        (0..1000).map(image).collect()
    }

    #[test]
    fn an_overconfident_model_is_made_more_modest() {
        // Logits differ by 2, which means σ(2) = 0.881; 0.731 = σ(1) would be right: T = 2.
        let fitted = Confidence::fit(&overconfident(), &classes(), &[]).unwrap();
        assert!((fitted.temperature.temperature.get() - 2.0).abs() < 0.02);
        let error = fitted.expected_calibration_error;
        assert!((error.before.unwrap() - 0.15).abs() < 0.002, "{error:?}");
        assert!(error.after.unwrap() < 0.002, "{error:?}");
        assert_eq!(fitted.positive, None);
    }

    #[test]
    fn a_model_that_is_always_right_keeps_its_own_confidence() {
        let logits: Vec<_> = (0..40)
            .map(|number| {
                (
                    ClassIndex(number % 2),
                    if number % 2 == 0 { vec![2.0, 0.0] } else { vec![0.0, 2.0] },
                )
            })
            .collect();
        let fitted = Confidence::fit(&logits, &classes(), &[]).unwrap().temperature;
        assert_eq!(fitted.outcome, TemperatureOutcome::LowestAllowed);
        assert_eq!(fitted.temperature, Temperature::ONE);
        assert_eq!(fitted.loss_before, fitted.loss_after);
    }

    #[test]
    fn thresholds_keep_the_specificity_asked_for() {
        let positive = vec!["cancer".to_owned()];
        let logits: Vec<_> = (0..200)
            .map(|number| {
                let is_cancer = number % 2 == 0;
                let score = (number as f32 * 0.37).sin() + if is_cancer { 0.8 } else { 0.0 };
                (ClassIndex(usize::from(!is_cancer)), vec![score, 0.0])
            })
            .collect();
        let fitted = Confidence::fit(&logits, &classes(), &positive).unwrap().positive.unwrap();
        assert_eq!(fitted.classes, positive);
        for (outcome, required) in fitted.operating_points.iter().zip(SPECIFICITIES) {
            let OperatingPointOutcome::Found(point) = outcome else { panic!("{outcome:?}") };
            assert!(point.specificity.share >= required && point.sensitivity.share > 0.2);
        }
    }

    #[test]
    fn a_positive_class_that_the_model_lacks_is_named() {
        let positive = vec!["tumour".to_owned()];
        let error = Confidence::fit(&overconfident(), &classes(), &positive).unwrap_err();
        assert!(format!("{error:#}").contains("data.positive"), "{error:#}");
        assert!(format!("{error:#}").contains("tumour"), "{error:#}");
    }
}
