//! Names and numbers as the report displays them.

use config::HeadKind;
use dataset::BaselineKind;
use metrics::{Estimate, Interval};
use report::Cell;

/// A name from a file, for display: `grey_histogram` becomes `grey histogram`.
pub(super) fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

/// The input of a baseline.
pub(super) fn kind(kind: BaselineKind) -> &'static str {
    match kind {
        BaselineKind::Majority => "majority: looks at nothing",
        BaselineKind::Shortcut => "shortcut: no anatomy",
        BaselineKind::CoarseLook => "coarse look at the picture",
    }
}

/// The kind of head.
pub(super) fn head(kind: HeadKind) -> &'static str {
    match kind {
        HeadKind::Linear => "linear",
        HeadKind::Kernel => "kernel",
        HeadKind::Flatten => "flatten",
        HeadKind::GlobalPool => "global-pool",
        HeadKind::MultiScale => "multi-scale",
    }
}

/// `1 image`, `3 images`.
pub(super) fn number(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A score with three digits; a dash if it is undefined.
pub(super) fn score(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.3}"))
}

/// A difference with its sign and three digits; a dash if it is undefined.
pub(super) fn signed(value: Option<f64>) -> String {
    // A real minus sign is as wide as the plus sign.
    value.map_or("–".into(), |value| format!("{value:+.3}").replace('-', "−"))
}

/// `95 % interval 0.610 to 0.716`, or why there is none.
pub(super) fn interval(interval: Option<Interval>, write: fn(Option<f64>) -> String) -> String {
    match interval {
        Some(Interval { low, high }) => {
            format!("95 % interval {} to {}", write(Some(low)), write(Some(high)))
        }
        None => "too few images for an interval".into(),
    }
}

/// An interval's ends.
pub(super) fn ends(interval: Option<Interval>) -> Option<(f64, f64)> {
    interval.map(|Interval { low, high }| (low, high))
}

/// A difference in a table, `+0.120 (−0.03 to +0.27)`, sorted by its value.
pub(super) fn difference(estimate: &Estimate) -> Cell {
    let Some(value) = estimate.value else { return Cell::score(None) };
    let mut text = signed(Some(value));
    if let Some(Interval { low, high }) = estimate.interval {
        text.push_str(&format!(" ({low:+.2} to {high:+.2})").replace('-', "−"));
    }
    Cell::sorted_by(text, value)
}
