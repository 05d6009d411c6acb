//! Numbers as sentences display them.

use metrics::Estimate;

/// A score with three digits; a dash if it is undefined.
pub(crate) fn score(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.3}"))
}

/// `+0.120 (95 % interval −0.030 to +0.270)`
pub(crate) fn difference_in_words(estimate: &Estimate) -> String {
    let Some(value) = estimate.value else { return "–".into() };
    let interval = estimate.interval.map_or(String::new(), |interval| {
        format!(" (95 % interval {:+.3} to {:+.3})", interval.low, interval.high)
    });
    // A real minus sign: lines are not broken after it.
    format!("{value:+.3}{interval}").replace('-', "−")
}
