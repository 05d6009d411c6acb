//! The result, for people.

use std::fmt;

use classifier::calibration::Calibration;
use metrics::Difference;

use crate::contest::{Contest, Verdict};
use crate::publish::ChosenMember;

pub(crate) struct Summary<'a> {
    pub(crate) members: &'a [ChosenMember],
    pub(crate) contest: &'a Contest,
    pub(crate) calibration: &'a Calibration,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            self.members.iter().map(|member| member.name.chars().count()).max().unwrap_or(0);
        writeln!(f, "weight  {:width$}  base", "member")?;
        for ChosenMember { name, architecture, weight } in self.members {
            let weight = if *weight > 0.0 { format!("{weight:.2}") } else { "–".into() };
            writeln!(f, "{weight:>6}  {name:width$}  {architecture}")?;
        }
        writeln!(f, "\n{}", Told(self.contest))?;
        let temperature = self.calibration.temperature.temperature.get();
        write!(f, "calibrated as a whole: temperature {temperature:.3}")
    }
}

/// What the choice is worth, in sentences.
pub(crate) struct Told<'a>(pub(crate) &'a Contest);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contest { images, groups, folds, log_loss, accuracy, verdict } = self.0;
        writeln!(
            f,
            "{images} images in {groups} groups that no member was trained on; chosen and scored \
             on other images, in {folds} folds:"
        )?;
        writeln!(f, "               ensemble  best alone  difference (95 %)")?;
        writeln!(f, "  log loss     {}", Row(log_loss))?;
        writeln!(f, "  accuracy     {}", Row(accuracy))?;
        f.write_str(match verdict {
            Verdict::Better => "It predicts better than its best member.",
            Verdict::NoBetter => {
                "It is not shown to predict better than its best member, which costs less to run."
            }
        })
    }
}

struct Row<'a>(&'a Difference);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.4}"));
        let Difference { first, second, difference, .. } = self.0;
        write!(f, "{:>8}  {:>10}  ", shown(*first), shown(*second))?;
        match (difference.value, difference.interval) {
            (Some(value), Some(interval)) => {
                write!(f, "{value:+.4} ({:+.4} to {:+.4})", interval.low, interval.high)
            }
            (Some(value), None) => write!(f, "{value:+.4}"),
            (None, _) => f.write_str("–"),
        }
    }
}
