use std::fmt;

use classifier::calibration::{Calibration, OperatingPointOutcome};
use metrics::TemperatureOutcome;

/// The results, for people.
pub(crate) struct Summary<'a>(pub(crate) &'a Calibration);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calibration {
            images, temperature, expected_calibration_error, positive, foreign, ..
        } = self.0;
        writeln!(
            f,
            "calibrated on {} validation and {} out-of-fold images ({} copies of training images left out)",
            images.validation, images.out_of_fold, images.left_out_copies
        )?;
        write!(f, "temperature {:.3}", temperature.temperature.get())?;
        if let (Some(before), Some(after)) = (temperature.loss_before, temperature.loss_after) {
            write!(f, " · log loss {before:.4} → {after:.4}")?;
        }
        let error = expected_calibration_error;
        if let (Some(before), Some(after)) = (error.before, error.after) {
            write!(f, " · calibration error {before:.4} → {after:.4}")?;
        }
        writeln!(f, "{}", remark(temperature.outcome))?;
        if let Some(positive) = positive {
            let classes = positive.classes.join(", ");
            for outcome in &positive.operating_points {
                writeln!(f, "{classes} against the others: {}", in_words(outcome))?;
            }
        }
        write!(
            f,
            "foreign images: grey correlation below {:.3}, or feature distance above {:.2} ({:.0} % \
             of {} held-out images pass each)",
            foreign.histogram.correlation_limit,
            foreign.feature_distance_limit,
            foreign.acceptance * 100.0,
            foreign.held_out
        )
    }
}

fn remark(outcome: TemperatureOutcome) -> &'static str {
    match outcome {
        TemperatureOutcome::Minimum => "",
        TemperatureOutcome::LowestAllowed => {
            "\n(there are too few images, or they are too easy, to fit a temperature)"
        }
        TemperatureOutcome::HighestAllowed => "\n(the model is no better than chance on them)",
        TemperatureOutcome::Undetermined => "\n(the images do not determine a temperature)",
    }
}

fn in_words(outcome: &OperatingPointOutcome) -> String {
    match outcome {
        OperatingPointOutcome::Found(point) => format!(
            "from {:.4} on, sensitivity {:.3} ({:.2}–{:.2}) at specificity {:.3} (at least {:.2})",
            point.threshold,
            point.sensitivity.share,
            point.sensitivity.low,
            point.sensitivity.high,
            point.specificity.share,
            point.required_specificity,
        ),
        OperatingPointOutcome::Missing(reason) => reason.to_string(),
    }
}
