//! Axes with round ticks.

/// The ends of an axis, and its ticks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    from: f64,
    to: f64,
    ticks: Vec<f64>,
    /// Digits after the point that are needed to distinguish the ticks.
    digits: usize,
}

/// The distance of ticks, 1, 2 or 5 times a power of ten.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    size: f64,
    digits: usize,
}

impl Step {
    /// The smallest that is not below `least`.
    fn at_least(least: f64) -> Self {
        // No logarithm: it is not the same on every machine.
        let fractions = (0..=9).rev().flat_map(|digits| {
            let parts = (0..digits).fold(1.0, |product, _| product * 10.0);
            [1.0, 2.0, 5.0].map(|leading| Self { size: leading / parts, digits })
        });
        let multiples = (1..300).flat_map(|zeros| {
            let power = (0..zeros).fold(1.0, |product, _| product * 10.0);
            [1.0, 2.0, 5.0].map(|leading| Self { size: leading * power, digits: 0 })
        });
        let mut steps = fractions.chain(multiples);
        steps.find(|step| step.size >= least).unwrap_or(Self { size: f64::MAX, digits: 0 })
    }
}

impl Scale {
    /// From 0 to a round number that is not below any of the values, with five or so ticks.
    pub(crate) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let largest = values.into_iter().fold(0.0, f64::max);
        let largest = if largest > 0.0 { largest } else { 1.0 };
        Self::of(0.0, largest, Step::at_least(largest / 5.0))
    }

    /// Round percentages around the values, ten points apart at least; never beyond 0 and 100.
    pub(crate) fn percent(values: impl IntoIterator<Item = f64>) -> Self {
        let bounds = (f64::INFINITY, f64::NEG_INFINITY);
        let (least, largest) = values
            .into_iter()
            .fold(bounds, |(least, largest), value| (least.min(value), largest.max(value)));
        let missing = (10.0 - (largest - least)).max(0.0);
        let (mut from, mut to) = (least - missing / 2.0, largest + missing / 2.0);
        if from < 0.0 {
            (from, to) = (0.0, (to - from).min(100.0));
        } else if to > 100.0 {
            (from, to) = ((from - (to - 100.0)).max(0.0), 100.0);
        }
        let step = Step::at_least((to - from) / 6.0);
        let scale = Self::of(from, to, step);
        Self { to: scale.to.min(100.0), ..scale }
    }

    /// Whole numbers from the first to the last, which are both ticks; a single one is in the
    /// middle.
    pub(crate) fn whole(first: u32, last: u32) -> Self {
        let (from, to) = (f64::from(first), f64::from(last));
        let step = Step::at_least(((to - from) / 12.0).max(1.0)).size;
        let beyond_first = (from / step).floor() + 1.0;
        let mut ticks = vec![from];
        let between = (0..).map(|number| (beyond_first + f64::from(number)) * step);
        // Not so close to the first or the last that their texts would touch.
        let is_clear = |tick: &f64| step == 1.0 || (tick - from).min(to - tick) >= step / 2.0;
        ticks.extend(between.take_while(|tick| *tick < to).filter(is_clear));
        if to > from {
            ticks.push(to);
        }
        let margin = if to > from { (to - from) * 0.02 } else { 0.5 };
        Self { from: from - margin, to: to + margin, ticks, digits: 0 }
    }

    fn of(from: f64, to: f64, step: Step) -> Self {
        let first = (from / step.size + 1e-9).floor();
        let last = (to / step.size - 1e-9).ceil();
        let count = (last - first) as u32;
        let tick = |number| (first + f64::from(number)) * step.size;
        Self {
            from: tick(0),
            to: tick(count),
            ticks: (0..=count).map(tick).collect(),
            digits: step.digits,
        }
    }

    /// Position of a value: 0 at the beginning, 1 at the end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        (value - self.from) / (self.to - self.from)
    }

    /// Each tick and its text.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        self.ticks.iter().map(|tick| (*tick, format!("{tick:.0$}", self.digits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: &Scale) -> Vec<String> {
        scale.ticks().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_loss_begins_at_zero_and_has_round_ticks() {
        let scale = Scale::from_zero([0.31, 1.13]);
        assert_eq!(texts(&scale), ["0.0", "0.5", "1.0", "1.5"]);
        assert!((scale.place(0.75) - 0.5).abs() < 1e-12);
        assert_eq!(texts(&Scale::from_zero([0.0])), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&Scale::from_zero([2e-5])).last().unwrap(), "0.000020");
        assert_eq!(texts(&Scale::from_zero([3e7])).last().unwrap(), "30000000");
    }

    #[test]
    fn percentages_surround_the_values_within_0_and_100() {
        let scale = Scale::percent([62.0, 97.5]);
        assert_eq!(texts(&scale), ["60", "70", "80", "90", "100"]);
        // Constant values have room too, and so do values at the ends.
        for constant in [0.0, 37.0, 100.0] {
            let scale = Scale::percent([constant; 3]);
            assert!((0.0..=1.0).contains(&scale.place(constant)), "{scale:?}");
            assert!(scale.from >= 0.0 && scale.to <= 100.0, "{scale:?}");
            assert!(scale.to - scale.from >= 10.0, "{scale:?}");
        }
    }

    #[test]
    fn epochs_are_whole_numbers_with_the_first_and_the_last() {
        assert_eq!(texts(&Scale::whole(1, 1)), ["1"]);
        assert!((Scale::whole(1, 1).place(1.0) - 0.5).abs() < 1e-12);
        assert_eq!(texts(&Scale::whole(1, 4)), ["1", "2", "3", "4"]);
        assert_eq!(texts(&Scale::whole(1, 30)), ["1", "5", "10", "15", "20", "25", "30"]);
        let many = texts(&Scale::whole(1, 200));
        assert_eq!(
            (many[0].as_str(), many[1].as_str(), many.last().unwrap().as_str()),
            ("1", "20", "200")
        );
    }
}
